"""Recipe S1: no file that a stranger made runs anything, whatever it is loaded with.

The cases are built here from names; no file of the kind is shipped.
"""
# ruff: noqa: E501 - programs of bytes are read better in one line

import io
import json
import pickle
import re
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from layerwise.core.errors import BundleError
from layerwise.core.files.bundle import write_bundle
from layerwise.core.files.tensor_file import tensors_to_parts
from layerwise.core.train.checkpoint import save_model


def tensors_to_bytes(tensors):
    return b"".join(tensors_to_parts(tensors))


# Callables that malicious pickles of public collections name, with arguments that would make the
# canary wherever one call is enough. CANARY stands for its path.
SHELL, CODE = ("touch CANARY",), ("open('CANARY', 'w').close()",)
CALLS = {
    **dict.fromkeys(
        (
            "os.system", "posix.system", "nt.system", "os.popen", "subprocess.getoutput",
            "subprocess.getstatusoutput", "commands.getoutput", "pty.spawn", "pydoc.pipepager",
            "uuid._get_command_stdout", "imaplib.IMAP4_stream", "_osx_support._read_output",
            "_osx_support._find_build_tool", "_aix_support._read_cmd_output", "os.execl",
            "os.spawnlp", "torch._inductor.codecache.compile_file", "torch.utils.collect_env.run",
            "asyncio.subprocess.create_subprocess_shell", "numpy.distutils.exec_command.exec_command",
        ),
        SHELL,
    ),
    **dict.fromkeys(
        ("subprocess.run", "subprocess.call", "subprocess.Popen", "subprocess.check_call",
         "subprocess.check_output", "os.execvp", "os.posix_spawn"),
        (["touch", "CANARY"],),
    ),
    **dict.fromkeys(
        (
            "builtins.eval", "builtins.exec", "__builtin__.eval", "__builtin__.exec", "runpy._run_code",
            "code.InteractiveInterpreter.runcode", "bdb.Bdb.run", "pdb.run", "profile.run",
            "cProfile.run", "trace.Trace.run", "timeit.timeit", "timeit.main", "doctest.debug_script",
            "idlelib.debugobj.ObjectTreeItem.SetText", "idlelib.run.Executive.runcode",
            "lib2to3.pgen2.grammar.Grammar.loads", "test.support.run_code", "sympy.parsing.sympy_parser.eval_expr",
            "numpy.testing._private.utils.runstring", "numpy.f2py.crackfortran.getlincoef",
            "numpy.f2py.crackfortran._eval_length", "torch.jit.unsupported_tensor_ops.execWrapper",
            "torch.fx.experimental.symbolic_shapes.ShapeEnv.evaluate_guards_expression",
            "torch.utils._config_module.ConfigModule.load_config", "torch.utils.bottleneck.__main__.run_cprofile",
            "torch.distributed.rpc.internal._run_function", "pandas.core.computation.eval.eval", "ast.literal_eval",
            "builtins.compile", "types.FunctionType", "logging.config._resolve", "site.execsitecustomize",
        ),
        CODE,
    ),
    **dict.fromkeys(
        (
            "builtins.__import__", "importlib.import_module", "runpy.run_module", "pkgutil.resolve_name",
            "pydoc.locate", "pydoc.safeimport", "ctypes.CDLL", "ctypes.util.find_library",
            "types.CodeType", "cloudpickle.cloudpickle.subimport", "cloudpickle.cloudpickle._make_function",
            "functools.partial", "operator.attrgetter", "operator.methodcaller", "builtins.getattr",
            "pickle.loads", "_pickle.loads", "marshal.loads", "dill._dill.loads", "joblib.load",
            "torch.load", "torch.hub.load", "torch.jit.load", "torch.storage._load_from_bytes",
            "ensurepip.bootstrap", "pip._internal.main", "venv.create", "webbrowser.open",
            "urllib.request.urlopen", "requests.get", "socket.create_connection", "aiohttp.request",
            "ssl.get_server_certificate", "smtplib.SMTP", "http.client.HTTPConnection",
        ),
        ("antigravity",),
    ),
    **dict.fromkeys(
        ("builtins.open", "io.open", "_io.FileIO", "io.FileIO", "logging.FileHandler", "os.mkdir", "shutil.copy",
         "distutils.file_util.write_file", "os.makedirs", "os.mkfifo", "zipfile.ZipFile", "sqlite3.connect"),
        ("CANARY", "w"),
    ),
    # What weights-only loaders allow, and takes memory without limit.
    "builtins.bytearray": (2 << 30,),
    "torch.empty": (2 << 30,),
    "torch._utils._rebuild_meta_tensor_no_storage": (2 << 30,),
    "copyreg._reconstructor": ("CANARY",),
}  # fmt: skip


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def called(name, args, stack_global=False):
    """A pickle that calls `name`, with protocol 2 or as protocol 4 names things."""
    module, _, attribute = name.rpartition(".")
    if stack_global:
        found = b"\x80\x04" + text(module) + text(attribute) + b"\x93"
    else:
        found = b"\x80\x02c" + f"{module}\n{attribute}\n".encode()
    return found + pickle.dumps(args, 2)[2:-1] + b"R."


def in_torch_zip(program, more=()):
    """A file as `torch.save` writes it, with another program in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in (
            ("data.pkl", program),
            ("byteorder", b"little"),
            ("version", b"3\n"),
            *more,
        ):
            archive.writestr(f"archive/{name}", content)
    return out.getvalue()


def in_dict(program):
    """The program's value as one weight among others."""
    return b"\x80\x02}" + text("0.weight") + program[2:-1] + b"s."


def old_torch(program):
    """A file of torch before 1.6 with another program in it."""
    out = io.BytesIO()
    torch.save({}, out, _use_new_zipfile_serialization=False)
    return out.getvalue().replace(b"\x80\x02}q\x00.", program, 1)


def gadgets(canary, every):
    """{name of a file: content} of pickles that call something."""
    for name, plain in list(CALLS.items())[::every]:
        args = json.loads(json.dumps(plain).replace("CANARY", str(canary)))
        for way, stack_global in (("global", False), ("stack_global", True)):
            program = called(name, tuple(args), stack_global)
            yield f"{way} {name}.pkl", program
            yield f"{way} {name}.pth", in_torch_zip(in_dict(program))
        yield f"old {name}.pt", old_torch(called(name, tuple(args)))


# -- pickles of other shapes -------------------------------------------------------------------


def pickles(canary):
    """{name of a file: content} of pickles that deceive scanners, or are no weights."""
    system = called("os.system", (f"touch {canary}",))
    inst = f"(S'touch {canary}'\nios\nsystem\n.".encode()
    obj = b"(cos\nsystem\n" + text(f"touch {canary}") + b"o."
    tensor = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n("
    storage = (
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x04tQ"
    )
    laughs = (
        b"\x80\x02]"
        + b"".join(
            b"q" + bytes([i]) + b"]h" + bytes([i]) + b"ah" + bytes([i]) + b"a" for i in range(100)
        )
        + b"."
    )
    shapes = {
        "inst": inst,
        "obj": obj,
        "obj and pop": obj[:-1] + b"0}.",
        "reduce and pop": system[:-1] + b"0}.",
        "newobj": b"\x80\x02cos\nsystem\n(" + text("true") + b"t\x81.",
        "newobj_ex": b"\x80\x04" + text("os") + text("system") + b"\x93)}\x92.",
        "build": b"\x80\x02ccollections\nOrderedDict\n)R" + system[2:-1] + b"b.",
        "dotted name": b"\x80\x04" + text("builtins") + text("__import__.__call__") + b"\x93" + b"X\x02\x00\x00\x00os\x85R.",
        "extension": b"\x80\x02\x82\x01.",
        "frame boundary": b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00" + system[2:],
        "after stop": b"\x80\x02}." + system,
        "memo that is not there": b"\x80\x02h\x07.",
        "empty stack": b"\x80\x020.",
        "mark that is not there": b"\x80\x02t.",
        "no stop": b"\x80\x02}",
        "nothing": b"",
        "unknown opcode": b"\x80\x02\xff.",
        "protocol 9": b"\x80\x09}.",
        "reduce of a dict": b"\x80\x02})R.",
        "reduce of a text": b"\x80\x02" + text("os.system") + b")R.",
        "pickle in a pickle": called("pickle.loads", (system,)),
        "list that holds itself": b"\x80\x02]q\x00h\x00a.",
        "laughs": laughs,
        "rebuilds itself": b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\nq\x00(h\x00N]q\x01(h\x00Nh\x01NeNtR.",
        "tensor without storage": tensor + b"K\x00K\x00(t(t\x89NtR.",
        "tensor past its end": in_dict(tensor + storage + b"K\x00K\x63\x85K\x01\x85\x89NtR."),
        "tensor of 2^60": in_dict(tensor + storage + b"K\x00\x8a\x08" + bytes(7) + b"\x10\x85K\x00\x85\x89NtR."),
        "negative offset": in_dict(tensor + storage + b"J\xff\xff\xff\xffK\x04\x85K\x01\x85\x89NtR."),
        "stride of text": in_dict(tensor + storage + b"K\x00K\x04\x85" + text("a") + b"\x85\x89NtR."),
        "storage of nothing": b"\x80\x02(" + text("a") + b"tQ.",
        "storage of a module": b"\x80\x02(" + text("storage") + b"cos\nsystem\n" + text("0") + text("cpu") + b"K\x04tQ.",
        "storage outside": in_dict(tensor + storage.replace(text("0"), text("../../etc/passwd")) + b"K\x00K\x04\x85K\x01\x85\x89NtR."),
        "codec chain": b"\x80\x02c_codecs\nencode\n" + text("a") + text("hex_codec") + b"\x86R.",
        "deep tuples as a key": b"\x80\x02}" + b")" + b"\x85" * 100_000 + b"K\x01s.",
        "many dicts": b"\x80\x02" + b"}" * 2_000_000 + b".",
        "long number": b"\x80\x02L" + b"9" * 1_000_000 + b"L\n.",
        "text that claims 4 GB": b"\x80\x02X\xff\xff\xff\xffabc.",
        "bytes that claim 2^63": b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7fabc.",
        "old python 2 names": b"\x80\x02c__builtin__\nexecfile\n" + text(str(canary)) + b"\x85R.",
        "a list": pickle.dumps([1, 2]),
        "numbers": pickle.dumps({"a": 1}),
        "a tuple of dicts": pickle.dumps(({}, {})),
        "dcp metadata": b"\x80\x04" + text("torch.distributed.checkpoint.metadata") + text("Metadata") + b"\x93)\x81.",
    }  # fmt: skip
    for name, program in shapes.items():
        yield f"{name}.pkl", program
        yield f"{name}.pth", in_torch_zip(program, [("data/0", bytes(16))])
        if program.startswith(b"\x80"):
            yield f"old {name}.pt", old_torch(program)


# -- containers --------------------------------------------------------------------------------


def zipped(members, method=zipfile.ZIP_STORED, comment=b""):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.comment = comment
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return out.getvalue()


def good_bundle(folder, kind="learner", **members):
    content = {"model.json": b"{}", "model.safetensors": tensors_to_bytes({"a": torch.ones(3)})}
    content |= {name.replace("_", "."): value for name, value in members.items()}
    return write_bundle(folder / "good.bundle", content, kind=kind).read_bytes()


def manifest_of(members, **changes):
    import hashlib

    files = {n: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in members}
    return json.dumps({
        "format": "layerwise-bundle", "version": 1, "kind": "learner", "created": "", "packages": {},
        "files": files, **changes,
    }).encode()  # fmt: skip


def rewritten(members, manifest=None):
    """A bundle laid out as `write_bundle` does, with a manifest of our choice."""
    from layerwise.core.files import bundle

    whole = [("manifest.json", manifest_of(members) if manifest is None else manifest), *members]
    entries = [bundle._Entry(n.encode(), len(c), zlib.crc32(c)) for n, c in whole]
    parts = [e.head() + c for e, (_, c) in zip(entries, whole, strict=True)]
    return b"".join(parts) + bundle._directory(entries)


LONG_LIST = b"[" + b"0," * 1_100_000 + b"0]"
JSONS = {
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "33 levels": b"[" * 33 + b"]" * 33,
    "long list": LONG_LIST,
    "many empty lists": b"[" + b"[]," * 140_000 + b"[]]",
    "NaN": b'{"a": NaN}',
    "Infinity": b"[Infinity, -Infinity]",
    "1e999": b"[1e999]",
    "huge integer": b"[" + b"9" * 4000 + b"]",
    "integer past the limit": b"[" + b"9" * 100_000 + b"]",
    "not UTF-8": b'"\xff\xfe"',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "surrogate": b'"\\ud800"',
    "key twice": b'{"a": 1, "a": 2}',
    "cut": b'{"a": ',
    "empty": b"",
    "nothing": b"null",
    "type of os": b'{"$type": "os.system", "command": "touch CANARY"}',
    "tensor that is not there": b'{"$tensor": "zzz"}',
    "tensor by a list": b'{"$tensor": []}',
    "items of numbers": b'{"$items": [1, 2]}',
    "key that has no hash": b'{"$items": [[[1], 2]]}',
    "unknown mark": b'{"$pickle": "gASVAAAA"}',
    "list instead of an object": b"[[[]]]",
    "text": b'"__import__"',
}


# States of an optimizer, of two parameters.
STATES = {
    "of text": b'{"state": "ab", "hypers": "a"}',
    "of numbers": b'{"state": [1, 2], "hypers": [3]}',
    "rate of text": b'{"state": [{}, {}], "hypers": [{"lr": "0.1", "mom": 0.9, "sqr_mom": 0.9, "eps": 0.1, "wd": 0}]}',
    "parameters that are not there": b'{"state": [{}, {}, {}], "hypers": [{}]}',
    "unknown names": b'{"state": [{"__class__": 1}, {}], "hypers": [{"__init__": 1}]}',
    "tensor of a list": b'{"state": [{"grad_avg": [1, 2]}, {}], "hypers": [{}]}',
}  # fmt: skip


def bundles(folder):
    """{name of a file: content} of bundles that are none."""
    good = good_bundle(folder)
    model = [("model.json", b"{}")]
    tensors = tensors_to_bytes({"a": torch.ones(3)})
    named = {
        "absolute": "/x", "parent": "../x", "inner parent": "a/../x", "drive": "C:x", "backslash": "a\\x",
        "hidden": ".x", "empty segment": "a//x", "folder": "a/", "NUL": "a\0x", "newline": "a\nx",
        "long": "a" * 4096, "space": "a b",
    }  # fmt: skip
    for what, name in named.items():
        yield f"name {what}", rewritten([(name, b"x")])
    yield "two of one name", rewritten([*model, *model])
    yield "two names that differ in case", rewritten([*model, ("Model.json", b"{}")])
    yield "no manifest", zipped(model)
    yield "manifest last", zipped([*model, ("manifest.json", manifest_of(model))])
    yield "by zipfile", zipped([("manifest.json", manifest_of(model)), *model])
    yield "packed", zipped([("manifest.json", manifest_of(model)), *model], zipfile.ZIP_DEFLATED)
    bomb = [("model.json", bytes(200 << 20))]
    yield "bomb", zipped([("manifest.json", manifest_of(model)), *bomb], zipfile.ZIP_DEFLATED)
    yield "bzip2", zipped([("manifest.json", manifest_of(model)), *model], zipfile.ZIP_BZIP2)
    yield "lzma", zipped([("manifest.json", manifest_of(model)), *model], zipfile.ZIP_LZMA)
    yield "method 99", good[:8] + b"\x63\x00" + good[10:]
    yield "manifest names more", rewritten(model, manifest_of([*model, ("b.json", b"")]))
    yield "manifest names less", rewritten([*model, ("b.json", b"")], manifest_of(model))
    yield "other size", rewritten(model, manifest_of([("model.json", b"{ }")]))
    yield "swapped", rewritten([("model.safetensors", tensors)], manifest_of([("model.safetensors", tensors[:-1] + b"\1")]))  # fmt: skip
    for key, value in {
        "version": 2, "version of text": "1", "format": "other", "kind": "checkpoint", "files": [],
        "files of numbers": {"model.json": 3}, "files negative": {"model.json": {"bytes": -1, "sha256": ""}},
    }.items():  # fmt: skip
        yield f"manifest {key}", rewritten(model, manifest_of(model, **{key.split()[0]: value}))
    for name, content in JSONS.items():
        yield f"manifest json {name}", rewritten(model, content)
    yield "behind", good + b"more"
    yield "before", b"more" + good
    yield "script before", b"#!/bin/sh\ntouch CANARY\n" + good
    yield "comment", good[:-2] + b"\4\0more"
    yield "twice", good + good
    yield "pickle behind", good + called("os.system", ("true",))
    yield "pickle before", called("os.system", ("true",)) + good
    yield "cut", good[:-1]
    yield "half", good[: len(good) // 2]
    yield "end alone", good[-22:]
    for bit in (0x1, 0x20, 0x40, 0x8, 0x800):
        yield f"flag {bit}", good[:6] + struct.pack("<H", bit) + good[8:]
    directory = good.index(b"PK\1\2")
    yield "other sum", good[:14] + b"\0\0\0\0" + good[18:]
    yield "flag in the directory", good[: directory + 8] + b"\1\0" + good[directory + 10 :]
    yield (
        "name in the directory",
        good[:directory] + good[directory:].replace(b"model.json", b"other.json"),
    )
    yield (
        "size in the directory",
        good[: directory + 20] + b"\xff\xff\xff\x7f" * 2 + good[directory + 28 :],
    )
    yield (
        "place in the directory",
        good[: directory + 42] + b"\xff\xff\xff\x7f" + good[directory + 46 :],
    )
    yield "two ends", good[:-22] + good[-22:] + good[-22:]
    yield "count of the end", good[:-12] + b"\xff\xff" + good[-10:]
    yield "directory past the end", good[:-6] + b"\xff\xff\xff\x7f" + good[-2:]
    big = struct.pack("<2H2Q", 1, 16, 2**64 - 1, 2**64 - 1)
    record = bytearray(good[directory:-22])
    record[20:28], record[30:32] = b"\xff" * 8, struct.pack("<H", len(big))
    record[46 + 13 : 46 + 13] = big
    yield (
        "2^64 in zip64",
        good[:directory]
        + bytes(record)
        + good[-22:-10]
        + struct.pack("<I", len(record))
        + good[-6:],
    )
    yield "zip64 end that is not there", good[:-6] + b"\xff\xff\xff\xff" + good[-2:]
    yield "bundle in a bundle", rewritten([("model.json", good)], manifest_of(model))


def containers(folder):
    """{name of a file: content} of files that are something else."""
    weights = io.BytesIO()
    torch.save({"0.weight": torch.ones(4, 3)}, weights)
    good = weights.getvalue()
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(good)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
    yield "packed.pth", out.getvalue()
    record = good.index(b"PK\1\2")
    yield "broken sum.pth", good[: record + 16] + b"\1\2\3\4" + good[record + 20 :]
    start = good.index(b"PK\1\2")
    for bit in (0x1, 0x20, 0x40):
        yield f"flag {bit}.pth", good[: start + 8] + struct.pack("<H", bit) + good[start + 10 :]
    yield "method.pth", good[: start + 10] + b"\x08\0" + good[start + 12 :]
    yield "size.pth", good[: start + 24] + b"\xff\xff\xff\x7f" + good[start + 28 :]
    yield "cut.pth", good[:-30]
    yield "half.pth", good[: len(good) // 2]
    yield "big endian.pth", in_torch_zip(b"\x80\x02}.").replace(b"little", b"biggle")
    yield (
        "two programs.pth",
        zipped([("a/data.pkl", b"\x80\x02}."), ("b/data.pkl", called("os.system", ("true",)))]),
    )
    yield (
        "torchscript.pth",
        in_torch_zip(b"\x80\x02}.", [("constants.pkl", b"\x80\x02)."), ("code/a.py", b"")]),
    )
    yield "deflated.pth", zipped([("a/data.pkl", b"\x80\x02}.")], zipfile.ZIP_DEFLATED)
    bomb = OrderedDict([("a/data.pkl", b"\x80\x02}."), ("a/data/0", bytes(200 << 20))])
    yield "bomb.pth", zipped(bomb.items(), zipfile.ZIP_DEFLATED)
    yield "seven zip.pth", b"7z\xbc\xaf\x27\x1c\0\4" + bytes(100)
    yield "page.pth", b"<!doctype html><html><title>Not found</title></html>"
    yield "empty.pth", b""
    yield "one byte.pth", b"\x80"
    yield "old magic alone.pt", old_torch(b"")[:15]
    objects = np.empty(1, dtype=object)
    objects[0] = {"a": 1}
    npy, npz, tar = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(npy, objects, allow_pickle=True)
    np.savez(npz, a=objects)
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            program = called("os.system", ("true",))
            entry = tarfile.TarInfo(name)
            entry.size = len(program)
            archive.addfile(entry, io.BytesIO(program))
    yield "objects.npy", npy.getvalue()
    yield "objects.npz", npz.getvalue()
    yield "old tar.pt", tar.getvalue()
    yield "program.pt2", zipped([
        ("p/archive_format", b"pt2"), ("p/models/model.json", b"{}"), ("p/byteorder", b"little"),
        ("p/data/sample_inputs/model.pt", in_torch_zip(called("os.system", ("true",)))),
        ("p/data/weights/weight_0", called("os.system", ("true",))),
    ])  # fmt: skip
    yield "a bundle.pth", good_bundle(folder, kind="other")
    yield "weights.zip", zipped([("w.pth", good)])


def safetensors_files(folder):
    """{name of a file: content} of damaged safetensors."""

    def made(header, data=bytes(12), size=None):
        plain = header if isinstance(header, bytes) else json.dumps(header).encode()
        return struct.pack("<Q", len(plain) if size is None else size) + plain + data

    def entry(shape, at, dtype="F32"):
        return {"dtype": dtype, "shape": shape, "data_offsets": at}

    yield "past the end", made({"a": entry([300], [0, 1200])})
    yield "shape and places", made({"a": entry([2], [0, 12])})
    yield "overlap", made({"a": entry([2], [0, 8]), "b": entry([2], [4, 12])})
    yield "hole", made({"a": entry([1], [0, 4]), "b": entry([1], [8, 12])})
    yield "hole at the end", made({"a": entry([1], [0, 4])})
    yield "overflow", made({"a": entry([2**62, 8], [0, 12])})
    yield "empty of 2^60", made({"a": entry([0, 2**60], [0, 0]), "b": entry([3], [0, 12])})
    yield "header of 2^60", made({}, size=2**60)
    yield "header of 90 MB", made({}, size=90 << 20)
    yield "backwards", made({"a": entry([3], [12, 0])})
    yield "negative", made({"a": entry([-3], [0, -12])})
    yield "key twice", made(b'{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},' * 1 + b'"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}')  # fmt: skip
    yield "unknown type", made({"a": entry([3], [0, 12], "PICKLE")})
    yield "shape of text", made({"a": entry(["3"], [0, 12])})
    yield "no shape", made({"a": {"dtype": "F32", "data_offsets": [0, 12]}})
    yield "more keys", made({"a": {**entry([3], [0, 12]), "reduce": "os.system"}})
    yield "metadata of numbers", made({"__metadata__": {"a": 1}, "a": entry([3], [0, 12])})
    yield "metadata a list", made({"__metadata__": [], "a": entry([3], [0, 12])})
    yield "a list", made([1, 2])
    yield "cut", made({"a": entry([3], [0, 12])})[:-1]
    yield "cut in the header", made({"a": entry([3], [0, 12])})[:20]
    yield "seven bytes", bytes(7)
    for name, content in JSONS.items():
        yield f"header {name}", made(content)
    good = save_model(folder / "good", nn.Sequential(nn.Linear(3, 4))).read_bytes()
    size = int.from_bytes(good[:8], "little")
    header = json.loads(good[8 : 8 + size])
    for name, content in {**JSONS, **STATES}.items():
        try:
            opt = content.decode()
        except UnicodeDecodeError:
            continue
        told = f'{{"format": "layerwise-model-1", "opt": {opt}}}'
        yield f"optimizer {name}", made({**header, "__metadata__": {"layerwise": told}})
    yield (
        "newer",
        made({**header, "__metadata__": {"layerwise": '{"format": "layerwise-model-9"}'}}),
    )
    yield "a pickle", called("os.system", ("true",))
    yield "a bundle", good_bundle(folder, kind="other")


# Made in a process of its own, since a name is registered.
MAKING = """
import sys
from pathlib import Path

import torch
from torch import nn
from layerwise.core.all import *

folder = Path(sys.argv[1])
#NAMES
block = DataBlock(blocks=(TransformBlock, CategoryBlock), get_y=label, splitter=IndexSplitter([0, 1]))
learn = Learner(block.dataloaders(list(range(8)), bs=2), nn.Sequential(nn.Embedding(9, 2)),
                loss_func=CrossEntropyLossFlat(), default_cbs=False, path=folder)
learn.export("good.lw")
dl = DataLoader([(torch.ones(3), torch.ones(4))] * 4, bs=2)
learn = Learner(DataLoaders(dl, dl), nn.Sequential(nn.Linear(3, 4)), loss_func=nn.MSELoss(), opt_func=Adam, path=folder)
with learn.no_logging():
    learn.fit(1, cbs=[Checkpoint("1ep", keep=1, background=False)])
next(folder.glob("checkpoints/*.ckpt")).rename(folder / "good.ckpt")
"""
NAMES = """
def label(i):
    return "ab"[i % 2]


register("function", "hostile/label", label)
"""


def made_by_layerwise(folder):
    """A learner that was exported and a checkpoint."""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MAKING.replace("#NAMES", NAMES), str(folder)],
        capture_output=True, text=True, cwd=folder, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    return folder / "good.lw", folder / "good.ckpt"


def members_exchanged(path):
    """{name of a file: content}: a file of ours with each member exchanged for a hostile one."""
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()][1:]
    kind = {"lw": "learner", "ckpt": "checkpoint"}[path.suffix[1:]]
    damaged = list(safetensors_files(path.parent))[:20]
    for at, (name, content) in enumerate(members):
        hostile = damaged if name.endswith(".safetensors") else JSONS.items()
        if name.startswith("vocab/"):  # any list is a vocabulary
            hostile = [(what, c) for what, c in hostile if what != "list instead of an object"]
        for what, exchanged in [*hostile, ("a pickle", called("os.system", ("true",)))]:
            new = [*members[:at], (name, exchanged), *members[at + 1 :]]
            yield f"{name.replace('/', ' ')} {what}", rewritten(new, manifest_of(new, kind=kind))
        rest = [*members[:at], *members[at + 1 :]]
        yield f"without {name.replace('/', ' ')}", rewritten(rest, manifest_of(rest, kind=kind))
        for type_name in (
            "os.system",
            "torch:nn.Linear.__init__",
            "torch:os.system",
            "builtins.eval",
        ):
            for old in re.findall(rb'"\$type":"([^"]*)"', content):
                renamed = content.replace(b'"%s"' % old, f'"{type_name}"'.encode(), 1)
                whole = [*members[:at], (name, renamed), *members[at + 1 :]]
                where = old.decode().replace("/", " ")
                yield (
                    f"{name} {type_name} for {where}",
                    rewritten(whole, manifest_of(whole, kind=kind)),
                )


def all_cases(folder, canary, every):
    """{name of a file: content}: every `every`th callable, and all the rest."""
    found = dict(gadgets(canary, every))
    found |= dict(pickles(canary))
    found |= {f"bundle {name}.bundle": content for name, content in bundles(folder)}
    found |= {f"container {name}": content for name, content in containers(folder)}
    found |= {f"{name}.safetensors": content for name, content in safetensors_files(folder)}
    for path in made_by_layerwise(folder):
        made = members_exchanged(path)
        found |= {f"{path.suffix[1:]} {n.replace('/', ' ')}{path.suffix}": c for n, c in made}
    return found


# -- one process that loads them all -----------------------------------------------------------

LOADING = """
import json, resource, sys, time, warnings
from pathlib import Path

import torch
from torch import nn
from layerwise.core.all import *
from layerwise.core.errors import BundleError
from layerwise.core.restore import load_learner
from layerwise.core.files.bundle import read_bundle
from layerwise.core.train.checkpoint_folder import read_checkpoint

warnings.simplefilter("ignore")
folder, good = Path(sys.argv[1]), json.loads(sys.argv[2])
dls = DataLoaders(DataLoader([(torch.ones(3), torch.ones(1))], bs=1))
learn = Learner(dls, nn.Sequential(nn.Linear(3, 4)), loss_func=nn.MSELoss(), opt_func=Adam)
loaders = {
    "Learner.load": lambda path: learn.load(path),
    "Learner.load of weights": lambda path: learn.load(path, with_opt=False),
    "load_weights": load_weights,
    "read_bundle": lambda path: read_bundle(path, kind="learner"),
    "read_bundle with max_bytes": lambda path: read_bundle(path, kind="learner", max_bytes=1 << 20),
}

#NAMES


def resume(path):
    with learn.no_logging():
        learn.fit(1, resume=path)


loaders |= {"load_learner": load_learner, "read_checkpoint": read_checkpoint, "fit with resume": resume}
OWN = {".lw": "load_learner", ".ckpt": "fit with resume"}
events, listening = [], False


def peak(reset=False):  # the most memory, in kilobytes, that was in use since the last reset
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


WATCHED = ("os.system", "subprocess.Popen", "exec", "compile", "socket.", "os.exec", "os.posix_spawn",
           "os.spawn", "os.fork", "ctypes.", "import", "os.mkdir", "os.remove", "os.rename", "shutil.",
           "pickle.find_class", "code.__new__", "marshal.", "urllib.", "tempfile.")


def hear(event, args):
    if listening and (event.startswith(WATCHED) or (event == "open" and set(str(args[1] or "")) & set("wax+"))):
        events.append(f"{event} {args!r:.200}")


def attempt(load, path):
    global listening
    start, listening = time.perf_counter(), True
    try:
        load(path)
        outcome = "loaded"
    except BundleError:
        outcome = "refused"
    except BaseException as error:
        outcome = f"{type(error).__name__}: {error!r:.200}"
    listening = False
    return outcome, time.perf_counter() - start


for load in loaders.values():  # what is imported at first use
    for path in good:
        attempt(load, path)
before = {k: v.clone() for k, v in learn.model.state_dict().items()}
sys.addaudithook(hear)
modules = set(sys.modules)
baseline = peak(reset=True)
found = []
for path in sorted(folder.iterdir()):
    for name, load in loaders.items():
        if " optimizer " in path.name and name != "Learner.load":
            continue  # the others do not look at it
        if name != OWN.get(path.suffix, name):
            continue
        outcome, seconds = attempt(load, path)
        found.append([path.name, name, outcome, seconds, peak()])
print(json.dumps({
    "found": found, "events": events, "baseline": baseline, "imported": sorted(set(sys.modules) - modules),
    "same": all(torch.equal(v, before[k]) for k, v in learn.model.state_dict().items()),
}))
"""


def loaded_by_all(cases, folder, good):
    """What became of each case with each loader, in a process of its own."""
    folder.mkdir()
    for number, (name, content) in enumerate(cases.items()):
        (folder / f"{number:04} {name}").write_bytes(content)
    ran = subprocess.run(
        [sys.executable, "-c", LOADING.replace("#NAMES", NAMES), str(folder), json.dumps([str(path) for path in good])],
        capture_output=True, text=True, cwd=folder, timeout=280,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads(ran.stdout.splitlines()[-1])


def check_that_all_are_refused(tmp_path, every, at_least):
    canary = tmp_path / "canary"
    good = [
        save_model(tmp_path / "model", nn.Sequential(nn.Linear(3, 4))),
        tmp_path / "good.bundle",
    ]
    torch.save({"a": torch.ones(2)}, tmp_path / "weights.pth")
    good += [tmp_path / name for name in ("weights.pth", "good.lw", "good.ckpt")]
    cases = all_cases(tmp_path, canary, every)
    assert len(cases) >= at_least
    result = loaded_by_all(cases, tmp_path / "cases", good)
    not_refused = [
        f"{file} by {loader}: {what}"
        for file, loader, what, _, _ in result["found"]
        if what != "refused"
    ]
    assert not not_refused, "\n".join(not_refused)
    assert result["events"] == []
    assert result["imported"] == []
    assert result["same"]
    assert not canary.exists()
    assert [f"{f} {s:.1f} s" for f, _, _, s, _ in result["found"] if s > 2] == []
    peak = max(kilobytes for *_, kilobytes in result["found"]) - result["baseline"]
    assert peak < 200 * 1024, f"{peak} kB"


def test_s1_hostile_files_are_refused_and_run_nothing(tmp_path):
    check_that_all_are_refused(tmp_path, every=8, at_least=250)


@pytest.mark.slow
def test_s1_every_hostile_file_is_refused_and_runs_nothing(tmp_path):
    check_that_all_are_refused(tmp_path, every=1, at_least=281)


@pytest.mark.parametrize("name", ["os.system", "builtins.exec", "builtins.open", "subprocess.run"])
@pytest.mark.parametrize("stack_global", [False, True])
def test_the_pickles_of_these_tests_would_run(tmp_path, name, stack_global):
    args = json.loads(json.dumps(CALLS[name]).replace("CANARY", str(tmp_path / "canary")))
    program = called(name, tuple(args), stack_global)
    code = "import pickle, sys; pickle.loads(bytes.fromhex(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, program.hex()], check=True, timeout=60)
    assert (tmp_path / "canary").exists()


def test_the_bundles_of_these_tests_differ_from_one_that_is_read(tmp_path):
    from layerwise.core.files.bundle import read_bundle

    path = tmp_path / "a.bundle"
    path.write_bytes(rewritten([("model.json", b"{}")]))
    assert read_bundle(path, kind="learner") == {"model.json": b"{}"}


def test_old_files_of_these_tests_hold_the_program(tmp_path):
    from layerwise.core.train.checkpoint import load_weights

    Path(tmp_path / "a.pt").write_bytes(old_torch(b"\x80\x02" + text("abc") + b"."))
    with pytest.raises(BundleError, match="holds a str, not weights"):
        load_weights(tmp_path / "a.pt")
