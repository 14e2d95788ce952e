"""Recommendations: films, from what others gave them."""

from score import Score
from section import Section

from layerwise.collab.all import *

TITLE = "Recommendations: which film next?"
TASK, DATA = "predict ratings", "MovieLens, 100 films"

ELSEWHERE = """
from layerwise.core.all import *

learn = load_learner("films.lw")
for title in ("Shrek (2001)", "Alien (1979)", "Groundhog Day (1993)"):
    rating = learn.predict({"userId": 18, "title": title})[0]
    print(f"user 18 would give {title} {float(rating):.1f} stars")
"""


def film_ratings(section: Section) -> pd.DataFrame:
    """Who gave which film how many stars."""
    films = pd.read_csv(section.data / "movie_lens_titles.csv")
    ratings = pd.read_csv(untar_data(URLs.ML_SAMPLE, base=section.work) / "ratings.csv")
    return ratings.merge(films)[["userId", "title", "genres", "rating"]]


def train(section: Section) -> CollabLearner:
    """From ratings to factors of users and films."""
    set_seed(42)
    dls = CollabDataLoaders.from_df(
        film_ratings(section), item_name="title", rating_name="rating", seed=42
    )
    learn = collab_learner(dls, n_factors=50, y_range=(0, 5.5), metrics=rmse, path=section.work)
    learn.fit_one_cycle(5, 5e-3)
    return learn


def run(section: Section) -> Score:
    """Train, look at it, export."""
    learn = train(section)
    ratings = film_ratings(section)
    section.table(
        ratings.sample(6, random_state=1).to_dict("records"), "Ratings, as they are read."
    )
    section.program(train)
    section.losses(learn)
    valid = ratings.iloc[learn.dls.valid_ds.rows]
    scores, _ = learn.get_preds()
    told = valid.drop(columns="genres").assign(prediction=scores.flatten().numpy())
    told["off"] = (told["rating"] - told["prediction"]).abs()
    told = told.sort_values("off")
    section.table(
        [*told[:: len(told) // 8].to_dict("records"), *told.tail(1).to_dict("records")],
        "Ratings that it has not seen, the best prediction first. Two stars off is red.",
        is_wrong=lambda row: row["off"] >= 2,
    )
    section.table(
        learn.recommend(18, n=8).to_dict("records"),
        "What to recommend to user 18: the highest scores of films not rated yet.",
    )
    section.table(
        learn.similar("Aladdin (1992)", 5).to_dict("records"), "Films that are close to Aladdin."
    )
    plot_items(learn, n=40)
    section.picture(
        "films",
        "Films by their factors: those that the same users like are neighbours.",
        "Map of forty films: comedies, action films and dramas in regions of their own",
    )
    learn.export("films.lw")
    section.fresh_process(ELSEWHERE)
    mean = ratings["rating"].iloc[learn.dls.train_ds.rows].mean()  # of all, whatever the film
    guess = ((valid["rating"] - mean) ** 2).mean() ** 0.5
    return Score("rmse", learn.validate()[1], guess, goal=0.8, form=".3f")
