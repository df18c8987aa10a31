# Asked of the image's interpreter, in the app's environment and folder: what
# it looks like after start-up. Prints one line of JSON. Runs on Python 3.6+.
import sys
before = {}
for name, module in list(sys.modules.items()):
    spec = getattr(module, "__spec__", None)
    before[name] = [getattr(module, "__file__", None), getattr(spec, "origin", None)]
path = list(sys.path)

def attempt(f, default):
    try:
        return f()
    except BaseException:
        return default

def editable():
    found = {}
    for finder in sys.meta_path:
        home = sys.modules.get(getattr(finder, "__module__", ""))
        for name, place in getattr(home, "MAPPING", {}).items():
            found[str(name)] = str(place)
    return found

def sysconfig_name():
    import sysconfig
    return sysconfig._get_sysconfigdata_name()

def stdlib():
    import os
    return os.path.dirname(os.__file__)

def extension_suffixes():
    import _imp
    return _imp.extension_suffixes()

def sites():
    import site
    found = attempt(site.getsitepackages, [])
    if site.ENABLE_USER_SITE:
        found = found + [site.getusersitepackages()]
    return found

def trust():
    import _ssl
    return [p for p in _ssl.get_default_verify_paths() if p.startswith("/")]

def zones():
    import zoneinfo
    return list(zoneinfo.TZPATH)

def magic():
    import importlib.util
    return list(importlib.util.MAGIC_NUMBER)

def frozen():
    import _imp
    return _imp._frozen_module_names()


facts = {
    "version": list(sys.version_info[:3]),
    "executable": sys.executable,
    "prefix": sys.prefix,
    "base_prefix": sys.base_prefix,
    "exec_prefix": sys.exec_prefix,
    "path": [p for p in path if p],
    "builtin": sorted(sys.builtin_module_names),
    "frozen": sorted(attempt(frozen, [])),
    "extension_suffixes": attempt(extension_suffixes, [".so"]),
    "cache_tag": sys.implementation.cache_tag,
    "magic": attempt(magic, []),
    "stdlib": attempt(stdlib, ""),
    "sites": attempt(sites, []),
    "pycache_prefix": getattr(sys, "pycache_prefix", None),
    "optimize": sys.flags.optimize,
    "loaded": before,
    "editable": attempt(editable, {}),
    "sysconfig": attempt(sysconfig_name, None),
    "trust": attempt(trust, []),
    "zones": attempt(zones, []),
}
import json
print(json.dumps(facts, sort_keys=True))
