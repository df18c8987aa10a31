"""Stands in for NAME, which was left out of this executable (--without NAME).

It can be imported, for most programs import NAME only to have it at hand. What
is called says what is missing; names of constants are numbers, those of errors
are errors that nobody raises.
"""

_MESSAGE = "NAME was left out of this executable (--without NAME)"


def _refuse(*args, **kwargs):
    raise RuntimeError(_MESSAGE)


class _LeftOut(type):
    def __getattr__(cls, name):
        return __getattr__(name)


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name.endswith(("Error", "Exception", "Warning")):
        value = type(name, (OSError,), {"__module__": __name__})
    elif name.isupper():
        value = 0
    elif name[:1].isupper():
        value = _LeftOut(name, (), {"__init__": _refuse, "__module__": __name__})
    else:
        value = _refuse
    globals()[name] = value
    return value
