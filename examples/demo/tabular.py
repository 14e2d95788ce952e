"""Tables: who earns 50,000 dollars a year or more?"""

from score import Score, share_of_commonest
from section import Section

from layerwise.tabular.all import *

TITLE = "Tables: who earns 50,000 dollars or more?"
TASK, DATA = "classify rows", "US census of 1994"

SHOWN = ["age", "education", "occupation", "relationship", "hours-per-week", "salary"]

ELSEWHERE = """
import json, sys
from layerwise.core.all import *

learn = load_learner("salary.lw")
for person in json.loads(sys.argv[1]):
    row, index, chances = learn.predict(person)
    print(f"{person['occupation']}, {person['age']}: {row.y.item()}, {chances[index]:.0%} certain")
"""


def read_people(section: Section) -> pd.DataFrame:
    """A row for each person; what is not known is missing."""
    path = untar_data(URLs.ADULT_SAMPLE, base=section.work)
    return pd.read_csv(path / "adult.csv", skipinitialspace=True, na_values="?")


def train(section: Section) -> Learner:
    """From a frame of people to a trained net."""
    set_seed(42)
    dls = TabularDataLoaders.from_df(
        read_people(section), y_names="salary", seed=42,
        procs=[Categorify, FillMissing, NormalizeQuantiles],
        cat_names=["workclass", "education", "marital-status", "occupation", "relationship"],
        cont_names=["age", "education-num", "capital-gain", "capital-loss", "hours-per-week"],
    )  # fmt: skip
    learn = tabular_learner(dls, metrics=accuracy, path=section.work)
    learn.fit_one_cycle(3, 1e-2)
    return learn


def run(section: Section) -> Score:
    """Train, look at it, export."""
    learn = train(section)
    people = read_people(section)[SHOWN]
    section.table(people.head(6).to_dict("records"), "People of the census, as they are read.")
    section.program(train)
    section.losses(learn)
    chances, targets = learn.get_preds()
    told = people.loc[learn.dls.valid.dataset.items.index].assign(
        predicted=[learn.dls.vocab[i] for i in chances.argmax(1).tolist()],
        certain=[f"{each:.1%}" for each in chances.max(1).values.tolist()],
    )
    order = chances.max(1).values.argsort(descending=True)
    ten = told.iloc[order[:: len(order) // 10][:10].tolist()]
    section.table(
        ten.to_dict("records"),
        "Ten whom it has not seen, those first of whom it is most certain. Errors are red.",
        is_wrong=lambda row: row["salary"] != row["predicted"],
    )
    feature_importance(learn).plot()
    section.picture(
        "importance",
        "How much worse the predictions become when a column tells nothing.",
        "Bars: how much each column of the census matters",
    )
    learn.export("salary.lw")
    strangers = read_people(section).drop(columns="salary").loc[told.index[:4]]
    section.fresh_process(ELSEWHERE, strangers.to_json(orient="records"))
    guess = share_of_commonest(targets.flatten())
    return Score("accuracy", learn.validate()[1], guess, goal=0.84)
