"""The method that runs is the one that a reader expects, or the error says what to do."""

import copy
import gc
import inspect
import pickle
from collections.abc import Sequence
from typing import Annotated, Any, Optional, Protocol, TypeVar, Union

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.display.generic import show_batch
from layerwise.core.errors import DispatchError, LayerwiseError
from layerwise.core.tensors import TensorImage, TensorImageBW, TensorMask
from layerwise.core.transforms.transform import Transform

described = Dispatch(name="described")


@described.register
def _(x: int) -> str:
    return "an int"


def made(*types, arity=1):
    """A dispatch with one method per entry, which returns its entry."""
    f = Dispatch(name="f", arity=arity)
    for kind in types:
        f.register(*(kind if arity == 2 else (kind,)))(lambda *_, kind=kind: kind)
    return f


# -- which method ---------------------------------------------------------------------------


def test_the_nearest_class_wins_whatever_the_order_of_registration():
    for order in ([object, int, bool], [bool, int, object], [int, object, bool]):
        f = made(*order)
        assert [f(True), f(3), f("x")] == [bool, int, object]


@settings(deadline=None)
@given(st.permutations([Tensor, TensorImage, TensorImageBW, TensorMask, object]))
def test_one_argument_is_chosen_as_python_chooses_methods(order):
    f = made(*order)
    for kind in (TensorImage, TensorImageBW, TensorMask, Tensor, str):
        expected = next(c for c in kind.__mro__ if c in order)
        assert f.function_for(kind)(None) is expected


def test_two_arguments_decide_together():
    f = made((Tensor, object), (TensorImage, object), (TensorImage, TensorMask), arity=2)
    image, mask = TensorImage(torch.zeros(1)), TensorMask(torch.zeros(1))
    assert f(image, mask) == (TensorImage, TensorMask)
    assert f(image, 3) == (TensorImage, object)
    assert f(torch.zeros(1), mask) == (Tensor, object)
    assert f(image, mask, "more") == (TensorImage, TensorMask)


@pytest.mark.parametrize("union", [int | str, Union[int, str], (int, str)], ids=str)  # noqa: UP007
def test_a_union_stands_for_each_of_its_members(union):
    f = Dispatch(name="f")
    f.register(union)(lambda x: "union")
    assert f(3) == f("x") == "union"
    assert len(f.methods()) == 2
    with pytest.raises(DispatchError):
        f(1.0)


def test_unions_in_both_places_are_all_combinations_and_no_conflict():
    f = Dispatch(name="f", arity=2)

    @f.register
    def _(x: Tensor | TensorImage, y: int | None) -> str:
        return "both"

    assert f(TensorImage(torch.zeros(1)), None) == f(torch.zeros(1), True) == "both"
    assert len(f.methods()) == 4


def test_optional_annotated_generics_and_bound_variables_are_read():
    Kind = TypeVar("Kind", bound=Tensor)
    f = Dispatch(name="f")

    @f.register
    def _(x: Optional[int]) -> str:  # noqa: UP045 - as users write it
        return "optional"

    @f.register
    def _(x: Annotated[float, "metres"]) -> str:
        return "annotated"

    @f.register
    def _(x: list[int]) -> str:
        return "list"

    @f.register
    def _(x: Kind) -> Kind:
        return x

    assert [f(None), f(1), f(1.5), f(["a"])] == ["optional", "optional", "annotated", "list"]
    assert f(torch.ones(1)) == 1


def test_a_missing_annotation_or_any_takes_everything():
    f = Dispatch(name="f")
    f.register(lambda x: "anything")
    g = Dispatch(name="g")

    @g.register
    def _(x: Any) -> str:
        return "anything"

    assert f(object()) == g(None) == "anything"


def test_string_annotations_see_globals_and_local_names():
    class Local: ...

    f = Dispatch(name="f")

    @f.register
    def _(x: "Local") -> "str":
        return "local"

    @f.register
    def _(x: "Tensor | np.ndarray") -> str:
        return "array"

    assert f(Local()) == "local"
    assert f(torch.zeros(1)) == f(np.zeros(1)) == "array"


def test_string_annotations_of_a_class_body_see_the_function_around():
    class Local: ...

    class Named(Transform):
        def encodes(self, x: "Local") -> "str":
            return "local"

    @Named
    def decodes(self, x: "Local") -> "str":
        return "back"

    assert Named()(Local()) == "local"
    assert Named().decode(Local()) == "back"


def test_a_string_that_names_nothing_says_where_and_what_to_do():
    f = Dispatch(name="f")
    with pytest.raises(NameError) as caught:

        @f.register
        def _(x: "Nowhere") -> str:  # type: ignore[name-defined]  # noqa: F821
            return ""

    assert "@f.register(Type)" in caught.value.__notes__[0]
    assert "test_dispatch.py" in caught.value.__notes__[0]


def test_what_is_no_type_is_refused():
    f = Dispatch(name="f")
    with pytest.raises(DispatchError, match="is no type to dispatch on; write a class"):
        f.add(lambda x: x, (3,))


def test_builtins_and_bound_methods_can_be_methods():
    f = Dispatch(name="f")
    f.add(len, (Sequence,))
    f.add("-".join, (set,))
    assert f([1, 2]) == 2
    assert f({"a"}) == "a"
    g = Dispatch(name="g")
    g.register(print)
    assert g.methods()[0].types == (object,)


def test_the_default_takes_what_no_method_does_and_never_competes():
    f = Dispatch(unchanged, name="f")
    f.register(int)(lambda x: -x)
    assert f(3) == -3
    assert f("x") == "x"
    assert f.find(str) is None


@pytest.mark.parametrize("arity", [0, 3])
def test_other_arities_are_refused(arity):
    with pytest.raises(ValueError, match="dispatches on 1 or 2 arguments"):
        Dispatch(arity=arity)


# -- errors ---------------------------------------------------------------------------------


def test_no_match_names_the_call_the_closest_and_what_to_write():
    f = made(str, TensorImage, TensorMask)
    with pytest.raises(DispatchError) as caught:
        f(torch.zeros(1))
    text = str(caught.value)
    assert text.startswith("f(Tensor): no method fits")
    assert "@f.register" in text
    assert "(Tensor)" in text
    assert "test_dispatch.py" in text
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, LayerwiseError)


def test_the_closest_methods_are_listed_first():
    f = made((str, str), (Tensor, str), (int, int), arity=2)
    with pytest.raises(DispatchError) as caught:
        f(torch.zeros(1), 3)
    text = str(caught.value)
    assert text.index("(Tensor, str)") < text.index("(str, str)")


def test_no_match_without_methods_says_so():
    with pytest.raises(DispatchError, match="nothing is registered yet"):
        Dispatch(name="f")(3)


def test_an_ambiguous_call_names_both_candidates_and_the_signature_to_add():
    f = made((TensorImage, object), (object, TensorMask), (object, object), arity=2)
    image, mask = TensorImage(torch.zeros(1)), TensorMask(torch.zeros(1))
    with pytest.raises(DispatchError) as caught:
        f(image, mask)
    text = str(caught.value)
    assert "(TensorImage, object) at" in text
    assert "(object, TensorMask) at" in text
    assert "Register one for exactly (TensorImage, TensorMask)" in text
    assert "(object, object)" not in text
    f.register(TensorImage, TensorMask)(lambda x, y: "settled")
    assert f(image, mask) == "settled"


def test_two_unrelated_bases_are_ambiguous():
    class A: ...

    class B: ...

    class C(A, B): ...

    f = made(A, B)
    with pytest.raises(DispatchError, match="no single method"):
        f(C())


def test_one_signature_twice_raises_with_both_places():
    f = Dispatch(name="f")
    first = inspect.currentframe().f_lineno + 2

    @f.register
    def _(x: int) -> str:
        return "one"

    with pytest.raises(DispatchError) as caught:

        @f.register
        def _(x: int) -> str:
            return "two"

    text = str(caught.value)
    assert f"test_dispatch.py:{first}" in text
    assert f"test_dispatch.py:{first + 6}" in text
    assert "override=True" in text
    assert f(1) == "one"


def test_override_replaces_and_drops_what_was_cached():
    f = made(int)
    assert f(1) is int
    f.register(int, override=True)(lambda x: "new")
    assert f(1) == "new"
    assert len(f.methods()) == 1


def test_a_notebook_cell_can_be_run_again():
    f = Dispatch(name="f")
    names = {"f": f, "__name__": "__main__"}
    cell = compile("@f.register\ndef _(x: int):\n    return 'int'", "cell", "exec")
    exec(cell, names)  # noqa: S102
    exec(cell, names)  # noqa: S102
    assert f(1) == "int"


def test_a_new_method_is_seen_after_a_call():
    f = made(object)
    assert f(True) is object
    f.register(bool)(lambda x: "bool")
    assert f(True) == "bool"


def test_an_unknown_keyword_is_told_with_the_name_of_the_function_and_the_nearest():
    f = Dispatch(name="draw")

    @f.register
    def _(x: int, *, max_n: int = 9) -> int:
        return x + max_n

    with pytest.raises(
        TypeError, match=r"draw got an unknown keyword 'maxn'. Did you mean 'max_n'"
    ):
        f(1, maxn=3)
    assert f(1, max_n=3) == 4


def test_a_type_error_from_within_a_method_stays_as_it_is():
    f = Dispatch(name="draw")

    @f.register
    def _(x: int, **kwargs: Any) -> int:
        found: int = x + dict(**kwargs, max_n="9")["max_n"]
        return found

    for name, words in (("max_n", "multiple values"), ("other", "unsupported operand")):
        with pytest.raises(TypeError, match=words) as caught:
            f(1, **{name: 3})
        assert caught.value.__context__ is None


@pytest.mark.parametrize("arity", [1, 2])
def test_too_few_arguments_say_what_decides(arity):
    f = made(arity=arity)
    with pytest.raises(TypeError, match=f"f chooses its method by its first {arity} positional"):
        f(*[1] * (arity - 1))


def test_too_few_arguments_on_an_instance_say_what_decides():
    with pytest.raises(TypeError, match="chooses its method by its first 1 positional"):
        Transform().encodes()


def test_the_number_of_types_has_to_fit():
    with pytest.raises(DispatchError, match=r"dispatches on 2 argument\(s\).*gives 1"):
        made(arity=2).register(int)(lambda x, y: x)


# -- subclasses -----------------------------------------------------------------------------


class Shift(Transform):
    def encodes(self, x: int) -> int:
        return x + 1

    def encodes(self, x: str) -> str:  # noqa: F811 - what users write
        return x + "1"


class Longer(Shift):
    def encodes(self, x: str) -> str:  # type: ignore[override]  # one of several methods
        return x + "11"


def test_a_subclass_inherits_and_overrides():
    assert Shift()((1, "a", 0.5)) == (2, "a1", 0.5)
    assert Longer()((1, "a", 0.5)) == (2, "a11", 0.5)


def test_a_method_from_outside_reaches_subclasses_that_were_used_already():
    class Base(Transform):
        def encodes(self, x: int) -> str:
            return "int"

    class Derived(Base): ...

    derived = Derived()
    assert derived(1.0) == 1.0

    @Base
    def encodes(self, x: float):
        return -x

    assert derived(1.0) == -1.0
    assert Base()(1.0) == -1.0


def test_a_method_for_a_subclass_leaves_the_base_alone():
    class Base(Transform): ...

    class Derived(Base): ...

    @Derived
    def encodes(self, x: int) -> int:
        return -x

    assert (Base()(3), Derived()(3)) == (3, -3)


def test_classes_that_nobody_holds_are_freed():
    class Base(Transform): ...

    before = len(Base.encodes._children)

    class Derived(Base): ...

    assert len(Base.encodes._children) == before + 1
    del Derived
    gc.collect()
    assert len(Base.encodes._children) == before


def test_a_dispatch_in_a_class_passes_the_instance():
    class Painter:
        paint = Dispatch(unchanged)

        def __init__(self, colour):
            self.colour = colour

        @paint.register
        def _(self, x: str) -> str:
            return f"{self.colour} {x}"

    assert Painter("red").paint("door") == "red door"
    assert Painter("red").paint(3) == 3
    assert Painter.paint.name.endswith("Painter.paint")


# -- copies and telling ---------------------------------------------------------------------


@pytest.mark.parametrize("dispatch", [described, show_batch, Shift.encodes], ids=lambda d: d.name)
def test_a_dispatch_in_a_module_or_class_copies_as_itself_like_a_function(dispatch):
    assert copy.deepcopy(dispatch) is dispatch
    # Test modules cannot be imported by name here, as the modules of a package can.
    if dispatch.__module__.startswith("layerwise"):
        assert pickle.loads(pickle.dumps(dispatch)) is dispatch


def test_a_local_dispatch_copies_with_its_methods_and_its_parents():
    parent = Dispatch(name="parent")
    parent.add(len, (str,))
    child = Dispatch(name="child")
    child.inherit([parent])
    child.add(abs, (int,))
    assert child("ab") == 2
    for twin in (copy.deepcopy(child), pickle.loads(pickle.dumps(child))):
        assert twin is not child
        assert (twin(-3), twin("ab")) == (3, 2)
        twin._parents[0].register(str, override=True)(lambda x: "changed")
        assert twin("ab") == "changed"
        assert child("ab") == 2


def test_methods_tells_types_and_places_own_ones_first():
    own, *inherited = Longer.encodes.methods()
    assert own.types == (str,)
    assert "test_dispatch.py" in own.where
    assert [m.types for m in inherited] == [(int,), (str,)]
    assert str(own).startswith("(str) at ")
    assert [*Longer.encodes] == Longer.encodes.methods()
    assert "3 methods" in repr(Longer.encodes)


def test_explain_says_what_a_call_would_run():
    assert described.explain(bool).startswith("described(bool) runs (int) at ")
    assert Shift.encodes.explain(float).endswith("runs its default")
    assert "no method fits" in described.explain(str)


def test_the_result_type_is_kept_for_those_who_ask():
    f = Dispatch(name="f")

    class Readable(Protocol): ...

    @f.register
    def _(x: int) -> None: ...

    @f.register
    def _(x: str) -> Any: ...

    @f.register
    def _(x: float) -> Readable: ...

    assert f.find(int).returns is None
    assert f.find(str).returns is inspect.Parameter.empty
    assert f.find(float).returns is inspect.Parameter.empty
