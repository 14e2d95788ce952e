import copy
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.train.callback import (
    Callback,
    CallbackTable,
    TrainEvalCallback,
    _ordered,
    before_batch_cb,
)
from layerwise.core.train.events import CancelFitException, CancelTrainException, Event
from layerwise.core.train.recorder import Recorder

# -- names and construction ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("Clip", "clip"),
        ("SaveModelCallback", "save_model"),
        ("LRFinder", "lr_finder"),
        ("CSVLogger", "csv_logger"),
        ("Callback", "callback"),
        ("MixUp2Images", "mix_up2_images"),
    ],
)
def test_the_name_is_the_class_name_in_snake_case(class_name, name):
    assert type(class_name, (Callback,), {})().name == name


def test_a_callback_can_be_made_of_functions(make_learner):
    calls = []
    learn = make_learner(cbs=Callback(before_fit=lambda: calls.append("fit")))
    learn.fit(1)
    assert calls == ["fit"]


def test_an_unknown_event_is_refused_with_the_nearest_one():
    with pytest.raises(TypeError, match=r"unknown keyword 'befor_fit'. Did you mean 'before_fit'"):
        Callback(befor_fit=print)


def test_a_subclass_need_not_call_the_constructor_of_callback(make_learner):
    class Quiet(Callback):
        def __init__(self, size):
            self.size = size

    assert make_learner(cbs=Quiet(3)).quiet.size == 3


def test_something_that_is_no_callback_is_refused(make_learner):
    with pytest.raises(TypeError, match="is no Callback"):
        make_learner(cbs=[print])


def test_a_class_is_taken_for_a_callback_of_it(make_learner):
    class Plain(Callback):
        pass

    assert type(make_learner(cbs=Plain).plain) is Plain


# -- order ---------------------------------------------------------------------------------


def test_the_smaller_order_comes_first_and_equals_keep_their_places():
    class Late(Callback):
        order = 5

    class Early(Callback):
        order = -5

    a, b = Callback(), Callback()
    assert [type(cb).__name__ for cb in _ordered([Late(), a, Early(), b])] == [
        "Early", "Callback", "Callback", "Late",
    ]  # fmt: skip
    assert _ordered([a, b]) == [a, b]
    assert _ordered([b, a]) == [b, a]


def test_after_and_before_count_more_than_order():
    class First(Callback):
        order = 100

    class Second(Callback):
        order = -100
        after = (First,)

    class Zeroth(Callback):
        order = 200
        before = (First,)

    found = _ordered([Second(), First(), Zeroth()])
    assert [type(cb).__name__ for cb in found] == ["Zeroth", "First", "Second"]


def test_after_a_base_class_means_after_its_subclasses_too():
    class Base(Callback):
        pass

    class Derived(Base):
        order = 10

    class Last(Callback):
        after = (Base,)

    found = _ordered([Last(), Derived()])
    assert [type(cb).__name__ for cb in found] == ["Derived", "Last"]


@pytest.mark.parametrize("side", ["after", "before"])
def test_an_order_by_the_name_of_a_class_is_refused(side):
    kind = type("Late", (Callback,), {side: ("Recorder",)})
    with pytest.raises(TypeError, match=f"Late.{side} holds 'Recorder'.*the class itself"):
        _ordered([kind(), Recorder()])


def test_what_it_keeps_has_to_be_its_own(make_learner):
    class Forgets(Callback):
        keeps = ("loss",)  # the learner has one

    learn = make_learner(cbs=Forgets())
    learn.fit(1)
    with pytest.raises(AttributeError, match=r"Forgets.keeps names 'loss', which it does not have"):
        learn.forgets.state_dict()


def test_a_circle_is_refused_by_the_names_in_it():
    class A(Callback):
        pass

    class B(Callback):
        after = (A,)

    A.after = (B,)
    with pytest.raises(ValueError, match=r"(A -> B -> A|B -> A -> B).*change `after` or `before`"):
        _ordered([A(), B()])


@given(st.data())
def test_any_demands_without_a_circle_are_met(data):
    count = data.draw(st.integers(1, 7))
    classes: list[type[Callback]] = []
    for i in range(count):  # a class can only name those made before it, so there is no circle
        order = data.draw(st.integers(-3, 3))
        after = tuple(c for c in classes if data.draw(st.integers(0, 3)) == 0)
        classes.append(type(f"C{i}", (Callback,), {"order": order, "after": after}))
    given_cbs = data.draw(st.permutations([c() for c in classes]))
    found = _ordered(given_cbs)
    assert sorted(map(id, found)) == sorted(map(id, given_cbs))
    place = {type(cb): i for i, cb in enumerate(found)}
    assert all(place[other] < place[c] for c in classes for other in c.after)
    if not any(c.after for c in classes):
        assert found == sorted(given_cbs, key=lambda cb: cb.order)


# -- reading through, and shadows ----------------------------------------------------------


def test_reading_goes_through_to_the_learner(make_learner):
    seen: dict[str, bool] = {}

    class Look(Callback):
        def after_loss(self):
            seen.update(same=self.pred is self.learn.pred, model=self.model is self.learn.model)

    make_learner(cbs=Look()).fit(1)
    assert seen == {"same": True, "model": True}


def test_what_neither_has_is_told_of_both(make_learner):
    class Plain(Callback):
        pass

    learn = make_learner(cbs=Plain())
    with pytest.raises(AttributeError, match=r"'modell'. Did you mean 'model'") as caught:
        _ = learn.plain.modell
    assert caught.value.__notes__ == ["read through the callback Plain"]


def test_before_it_has_a_learner_a_callback_speaks_for_itself():
    with pytest.raises(AttributeError, match="Callback has no attribute 'learn'"):
        _ = Callback().pred


def test_setting_what_the_learner_has_warns_and_does_not_reach_it(make_learner):
    class Shadow(Callback):
        def after_pred(self):
            self.pred = None

    learn = make_learner(cbs=Shadow())
    with pytest.warns(UserWarning, match=r"hides the learner's; write self.learn.pred = "):
        learn.fit(1)


def test_a_warning_points_at_the_line_that_sets():
    class Shadow(Callback):
        pass

    shadow = Shadow()
    shadow.learn = object()  # type: ignore[assignment]
    with pytest.warns(UserWarning, match="hides") as caught:
        shadow.pred = 1
    assert caught[0].filename == __file__


def test_own_attributes_do_not_warn(make_learner):
    class Counts(Callback):
        def before_fit(self):
            self.count = 0

        def after_batch(self):
            self.count += 1

    learn = make_learner(cbs=Counts())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learn.fit(1)
    assert learn.counts.count == 6


def test_a_callback_can_be_copied(make_learner):
    learn = make_learner()
    twin = copy.deepcopy(learn)
    assert twin.recorder.learn is twin
    assert twin.recorder is not learn.recorder


# -- which are called ----------------------------------------------------------------------


def counting(**flags):
    class Counting(Callback):
        batches = 0
        epochs = 0

        def after_batch(self):
            self.batches += 1

        def before_epoch(self):
            self.epochs += 1

    made = Counting()
    for name, value in flags.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("flags", "batches", "epochs"),
    [
        ({}, 6, 1),
        ({"run": False}, 0, 0),
        ({"run_train": False}, 2, 1),
        ({"run_valid": False}, 4, 1),
    ],
)
def test_flags_choose_when_a_callback_is_called(make_learner, flags, batches, epochs):
    cb = counting(**flags)
    make_learner(cbs=cb).fit(1)
    assert (cb.batches, cb.epochs) == (batches, epochs)


def test_run_is_on_again_after_a_fit(make_learner):
    cb = counting(run=False)
    make_learner(cbs=cb).fit(1)
    assert cb.run


def test_only_overridden_events_are_in_the_table():
    table = CallbackTable([counting()])
    assert [event for event in Event if table._per_event[event]] == ["before_epoch", "after_batch"]


# -- errors --------------------------------------------------------------------------------

EVENTS_OF_A_FIT = [e for e in Event if "cancel" not in e and e != "after_create"]


@pytest.mark.parametrize("event", EVENTS_OF_A_FIT)
def test_an_error_reaches_the_user_as_itself_with_one_note(make_learner, event):
    error = KeyError()  # without a text, at which a handler could stumble

    class Broken(Callback):
        pass

    def fail(self):
        raise error

    setattr(Broken, event.value, fail)
    with pytest.raises(KeyError) as caught:
        make_learner(cbs=Broken()).fit(1)
    assert caught.value is error
    assert caught.value.__notes__ == [f"in Broken.{event}, a callback of this learner"]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_an_error_in_after_create_has_the_note_too(make_learner):
    class Broken(Callback):
        def after_create(self):
            raise KeyError("x")

    learn = make_learner()
    with pytest.raises(KeyError) as caught:
        learn.add_cb(Broken())
    assert caught.value.__notes__ == ["in Broken.after_create, a callback of this learner"]
    assert not hasattr(learn, "broken")
    assert [type(cb).__name__ for cb in learn.cbs] == [
        "TrainEvalCallback", "NaNGuard", "Recorder", "ProgressCallback",
    ]  # fmt: skip


def test_cancelling_is_no_error_and_gets_no_note(make_learner):
    error = CancelFitException()

    def stop():
        raise error

    make_learner(cbs=Callback(before_batch=stop)).fit(1)
    assert not hasattr(error, "__notes__")


# -- TrainEvalCallback ---------------------------------------------------------------------


def test_mode_and_flag_follow_the_part_of_the_epoch(make_learner):
    seen = []

    class Look(Callback):
        def before_batch(self):
            seen.append((self.model.training, self.training))

    make_learner(cbs=Look()).fit(1)
    assert seen == [(True, True)] * 4 + [(False, False)] * 2


def test_progress_is_counted_before_each_batch(make_learner):
    seen = []

    class Look(Callback):
        run_valid = False

        def before_batch(self):
            seen.append((self.learn.train_iter, self.learn.pct_train))

    make_learner(cbs=Look()).fit(2)
    assert seen == [(i, i / 8) for i in range(8)]


def test_progress_of_a_training_that_goes_on_counts_what_was_done(make_learner):
    seen = []

    class Look(Callback):
        run_valid = False

        def before_batch(self):
            seen.append(self.learn.pct_train)

    make_learner(cbs=Look()).fit(3, start_epoch=1)
    torch.testing.assert_close(seen, [i / 12 for i in range(4, 12)])


def test_progress_after_an_epoch_that_was_cut_short_counts_it_as_done(make_learner):
    seen = []

    class Cut(Callback):
        run_valid = False

        def before_batch(self):
            seen.append(self.learn.pct_train)
            if self.learn.iter == 1:
                raise CancelTrainException

    make_learner(cbs=Cut()).fit(2)
    assert seen == [0, 1 / 8, 1 / 2, 5 / 8]


def test_it_comes_before_everything_else(make_learner):
    class Look(Callback):
        pass

    learn = make_learner(cbs=Look())
    assert type(learn.cbs[0]) is TrainEvalCallback
    assert [type(cb) for cb in learn.cbs].index(Recorder) > 1


# -- before_batch_cb -----------------------------------------------------------------------


def test_before_batch_cb_replaces_inputs_and_targets(make_learner):
    seen = []
    double = before_batch_cb(lambda learn, xb, yb: (tuple(2 * x for x in xb), yb))
    plain = before_batch_cb(lambda learn, xb, yb: seen.append(xb[0].clone()))

    class Model(torch.nn.Linear):
        def forward(self, x):
            seen.append(x.detach().clone())
            return super().forward(x)

    make_learner(Model(3, 1), cbs=[plain, double]).fit(1)
    for original, doubled in zip(seen[::2], seen[1::2], strict=True):
        torch.testing.assert_close(doubled, 2 * original)


def test_two_of_before_batch_cb_live_in_one_learner(make_learner):
    cbs = [before_batch_cb(lambda learn, xb, yb: None) for _ in range(2)]
    learn = make_learner(cbs=cbs)
    learn.fit(1)
    learn.remove_cbs(cbs)
    assert len(learn.cbs) == 4


def test_a_method_named_almost_like_an_event_is_pointed_out(make_learner):
    class Slip(Callback):
        def after_bacth(self):
            pass

    with pytest.warns(UserWarning, match="Slip.after_bacth is no event .* 'after_batch'"):
        make_learner(cbs=Slip())


def test_methods_with_other_names_are_nobodys_business(make_learner, recwarn):
    class Helper(Callback):
        def weigh(self):
            pass

        def batch(self):
            pass

    make_learner(cbs=Helper())
    assert not [w for w in recwarn if "is no event" in str(w.message)]


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_value_where_the_order_stands_is_named(side):
    class Keeps(Callback):
        def __init__(self):
            super().__init__()
            setattr(self, side, torch.zeros(2))

    for cbs in ([Keeps(), Recorder()], [Recorder(), Keeps()]):
        with pytest.raises(TypeError, match=rf"Keeps.{side} holds .*under another name"):
            _ordered(cbs)
