"""The program of a book on this design runs unchanged but for its first line."""

import runpy
from textwrap import dedent

import pytest

BOOK = """
    from layerwise.collab.all import *
    path = untar_data(URLs.ML_100k)
    ratings = pd.read_csv(path/'u.data', delimiter='\\t', header=None, names=['user','movie','rating','timestamp'])
    movies = pd.read_csv(path/'u.item', delimiter='|', encoding='latin-1', usecols=(0,1), names=('movie','title'), header=None)
    ratings = ratings.merge(movies)
    dls = CollabDataLoaders.from_df(ratings, item_name='title', bs=64)
    dls.show_batch()
    n_users = len(dls.classes['user'])
    n_movies = len(dls.classes['title'])

    class DotProduct(Module):
        def __init__(self, n_users, n_movies, n_factors, y_range=(0,5.5)):
            self.user_factors = Embedding(n_users, n_factors)
            self.user_bias = Embedding(n_users, 1)
            self.movie_factors = Embedding(n_movies, n_factors)
            self.movie_bias = Embedding(n_movies, 1)
            self.y_range = y_range

        def forward(self, x):
            users = self.user_factors(x[:,0])
            movies = self.movie_factors(x[:,1])
            res = (users * movies).sum(dim=1, keepdim=True)
            res += self.user_bias(x[:,0]) + self.movie_bias(x[:,1])
            return sigmoid_range(res, *self.y_range)

    x,y = dls.one_batch()
    assert x.shape == (64, 2)
    learn = Learner(dls, DotProduct(n_users, n_movies, 50), loss_func=MSELossFlat())
    learn.fit_one_cycle(1, 5e-3)

    learn = collab_learner(dls, n_factors=50, y_range=(0, 5.5))
    learn.fit_one_cycle(1, 5e-3, wd=0.1)
    movie_bias = learn.model.i_bias.weight.squeeze()
    idxs = movie_bias.argsort()[:5]
    worst = [dls.classes['title'][i] for i in idxs]
    g = ratings.groupby('title')['rating'].count()
    top_movies = g.sort_values(ascending=False).index.values[:1000]
    top_idxs = tensor([learn.dls.classes['title'].o2i[m] for m in top_movies])
    movie_w = learn.model.i_weight.weight[top_idxs].cpu().detach()
    movie_pca = pca(movie_w, 3)
    fac0,fac1,fac2 = movie_pca.t()
    movie_bias = learn.model.bias(top_movies, is_item=True)
    movie_w = learn.model.weight(top_movies, is_item=True)

    movie_factors = learn.model.i_weight.weight
    idx = dls.classes['title'].o2i['Silence of the Lambs, The (1991)']
    distances = nn.CosineSimilarity(dim=1)(movie_factors, movie_factors[idx][None])
    idx = distances.argsort(descending=True)[1]
    alike = dls.classes['title'][idx]

    embs = get_emb_sz(dls)

    class CollabNN(Module):
        def __init__(self, user_sz, item_sz, y_range=(0,5.5), n_act=100):
            self.user_factors = Embedding(*user_sz)
            self.item_factors = Embedding(*item_sz)
            self.layers = nn.Sequential(
                nn.Linear(user_sz[1]+item_sz[1], n_act),
                nn.ReLU(),
                nn.Linear(n_act, 1))
            self.y_range = y_range

        def forward(self, x):
            embs = self.user_factors(x[:,0]),self.item_factors(x[:,1])
            x = self.layers(torch.cat(embs, dim=1))
            return sigmoid_range(x, *self.y_range)

    model = CollabNN(*embs)
    learn = Learner(dls, model, loss_func=MSELossFlat())
    learn.fit_one_cycle(1, 5e-3, wd=0.01)
    learn = collab_learner(dls, use_nn=True, y_range=(0, 5.5), layers=[100,50])
    learn.fit_one_cycle(1, 5e-3, wd=0.1)
"""  # noqa: E501 - as it is printed


def test_the_program_of_the_book_runs(mirror, tmp_path, monkeypatch, capsys):
    if not (mirror / "ml-100k.tgz").is_file():
        pytest.skip(f"no ml-100k.tgz in {mirror}")
    monkeypatch.setenv("LAYERWISE_MIRROR", str(mirror))
    program = tmp_path / "program.py"
    program.write_text(dedent(BOOK))
    names = runpy.run_path(str(program))
    assert names["movie_pca"].shape == (1000, 3)
    assert names["movie_bias"].shape == (1000,)
    assert names["movie_w"].shape == (1000, 50)
    assert names["alike"] != "Silence of the Lambs, The (1991)"
    assert capsys.readouterr().out
