"""Pairs and ratings show themselves."""

from layerwise.collab.types import Rating, UserItem


def test_a_pair_shows_itself_under_the_names_of_its_columns():
    pair = UserItem(7, "Alien", ("who", "what"))
    assert pair.show(ctx={"n": 1}) == {"n": 1, "who": 7, "what": "Alien"}


def test_without_a_context_both_are_printed(capsys):
    UserItem(7, "Alien").show()
    Rating(3.25).show()
    assert capsys.readouterr().out == "7\nAlien\n3.25\n"
