//! What cannot be read from source, or must not be followed: tables about the
//! standard library, each line with its reason.

/// An import that no source shows, because C code or a computed name makes it.
pub struct Hidden {
    /// The module that is in use; empty for the interpreter itself.
    pub module: &'static str,
    pub imports: &'static str,
    /// Only when something names this; empty: always.
    pub named: &'static str,
}

const fn hidden(module: &'static str, imports: &'static str, named: &'static str) -> Hidden {
    Hidden {
        module,
        imports,
        named,
    }
}

/// From `PyImport_ImportModule` and its kin in CPython 3.8 to 3.14. Modules
/// that a version lacks resolve to nothing.
pub const HIDDEN: &[Hidden] = &[
    // The interpreter.
    hidden("", "encodings", ""),
    hidden("", "io", ""),
    hidden("", "abc", ""),
    hidden("", "site", ""),
    hidden("", "sitecustomize", ""),
    hidden("", "usercustomize", ""),
    // Issued by C code, shown by Python code.
    hidden("", "warnings", ""),
    // `python -m`.
    hidden("", "runpy", ""),
    // Arithmetic on huge integers, since 3.12.
    hidden("", "_pylong", ""),
    // `sys.breakpointhook`.
    hidden("", "pdb", "breakpoint()"),
    // `__reduce_ex__` of objects without a hand-written one.
    hidden("", "copyreg", ""),
    hidden("_array", "copyreg", ""),
    hidden("_asyncio", "asyncio.base_events", ""),
    hidden("_asyncio", "asyncio.base_futures", ""),
    hidden("_asyncio", "asyncio.base_tasks", ""),
    hidden("_asyncio", "asyncio.coroutines", ""),
    hidden("_asyncio", "asyncio.events", ""),
    hidden("_asyncio", "asyncio.exceptions", ""),
    hidden("_asyncio", "traceback", ""),
    hidden("_ctypes", "ctypes", ""),
    hidden("_curses_panel", "_curses", ""),
    hidden("_datetime", "_strptime", "strptime"),
    hidden("_datetime", "time", ""),
    hidden("_decimal", "collections", ""),
    hidden("_decimal", "numbers", ""),
    hidden("_elementtree", "copy", ""),
    hidden("_elementtree", "pyexpat", ""),
    hidden("_elementtree", "xml.etree.ElementPath", ""),
    // Before 3.10, for the encoding of text files.
    hidden("_io", "_bootlocale", ""),
    hidden("_json", "json.decoder", ""),
    hidden("_pickle", "_compat_pickle", ""),
    hidden("_pickle", "codecs", ""),
    hidden("_pickle", "copyreg", ""),
    hidden("_pickle", "functools", ""),
    hidden("_queue", "queue", ""),
    hidden("_sqlite3", "sqlite3.dump", "iterdump"),
    hidden("_ssl", "_socket", ""),
    hidden("_tracemalloc", "tracemalloc", ""),
    hidden("_zoneinfo", "zoneinfo._common", ""),
    hidden("_zoneinfo", "zoneinfo._tzpath", ""),
    hidden("time", "_strptime", "strptime"),
    // Computed names in Python code.
    hidden("dbm", "dbm.dumb", ""),
    hidden("dbm", "dbm.gnu", ""),
    hidden("dbm", "dbm.ndbm", ""),
    hidden("dbm", "dbm.sqlite3", ""),
    hidden("xml.dom.domreg", "xml.dom.minidom", ""),
    hidden("xml.sax", "xml.sax.expatreader", ""),
];

/// An import in the standard library that is not followed.
pub struct Cut {
    pub from: &'static str,
    pub to: &'static str,
    /// Followed after all when something names this; empty: never.
    pub unless: &'static str,
}

const fn cut(from: &'static str, to: &'static str, unless: &'static str) -> Cut {
    Cut { from, to, unless }
}

/// Function-level imports of the standard library whose function an app cannot
/// run without naming the feature, though the function's own name is too
/// common, or a dunder, for the general rule to see it.
pub const CUTS: &[Cut] = &[
    // `help()` is an object with `__call__`; the walk writes the call of that
    // bare name as "help()".
    cut("_sitebuiltins", "pydoc", "help()"),
    // Half a megabyte of the language reference, for `help("topic")`; pydoc
    // says so where it is missing.
    cut("pydoc", "pydoc_data.topics", "help()"),
    // The prompt of an interactive interpreter; it works without, with plain
    // lines (from 3.13 on with PYTHON_BASIC_REPL=1).
    cut("site", "readline", "interact"),
    cut("site", "rlcompleter", "interact"),
    // Behind names of systems that `os.uname` gives, or a file of macOS.
    cut("sysconfig", "_osx_support", ""),
    cut("sysconfig", "_aix_support", ""),
    cut("platform", "plistlib", ""),
    cut("site", "_pyrepl", "interact"),
    cut("site", "_pyrepl.main", "interact"),
    cut("site", "_pyrepl.readline", "interact"),
    cut("site", "_pyrepl.unix_console", "interact"),
];

/// Names that a program must use to read zones from the package `tzdata` before
/// the system's: otherwise `zoneinfo` opens a zone there only where no folder of
/// its search path has it (PEP 615).
pub const CHOOSES_ZONES: &[&str] = &["PYTHONTZPATH", "reset_tzpath", "tzdata"];

/// Programs that make programs. One that a library names is kept only if a run
/// was seen to start it, or the user's own code names it.
pub const BUILD_TOOLS: &[&str] = &[
    "ar", "as", "c++", "cc", "clang", "cmake", "cpp", "f77", "f90", "f95", "g++", "gcc",
    "gfortran", "ld", "ldconfig", "make", "nm", "objdump", "ranlib", "strip", "swig",
];

/// Modules of the standard library whose every function counts as called:
/// C code and `importlib` call them by names that no source mentions.
pub const ALL_LIVE: &[&str] = &[
    "asyncio.base_futures",
    "asyncio.base_tasks",
    "codecs",
    "copyreg",
    "encodings",
    "io",
    "sqlite3.dump",
    "threading",
    "warnings",
];

/// Names that C code calls on objects of Python classes.
pub const CALLED_BY_C: &[&str] = &[
    "close",
    "decode",
    "dst",
    "encode",
    "fileno",
    "find_spec",
    "flush",
    "fromutc",
    "get",
    "isatty",
    "items",
    "keys",
    "read",
    "readable",
    "readinto",
    "readline",
    "seek",
    "seekable",
    "send",
    "tell",
    "throw",
    "tzname",
    "utcoffset",
    "values",
    "writable",
    "write",
    "exec_module",
    "create_module",
    "_run_module_as_main",
    "persistent_id",
    "persistent_load",
    "find_class",
    "reducer_override",
];

/// Standard modules that C and Rust extension modules import by a bare word.
/// Other words (`test`, `string`, `code`) are far more often something else.
pub const IMPORTED_BY_EXTENSIONS: &[&str] = &[
    "asyncio",
    "calendar",
    "collections",
    "collections.abc",
    "contextvars",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "importlib.metadata",
    "inspect",
    "ipaddress",
    "json",
    "logging",
    "numbers",
    "operator",
    "pathlib",
    "pickle",
    "random",
    "threading",
    "traceback",
    "types",
    "typing",
    "uuid",
    "warnings",
    "weakref",
    "zoneinfo",
];

/// `six.moves` names whose module cannot be told by turning `_` into `.`.
pub fn six_move(name: &str) -> String {
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    let module = match first {
        "cPickle" => "pickle",
        "cStringIO" | "StringIO" | "BytesIO" => "io",
        "shlex_quote" => "shlex",
        "reload_module" => "importlib",
        "getoutput" => "subprocess",
        "UserDict" | "UserList" | "UserString" => "collections",
        "zip_longest" | "filterfalse" => "itertools",
        "getcwd" | "getcwdb" => "os",
        "reduce" => "functools",
        "BaseHTTPServer" | "SimpleHTTPServer" | "CGIHTTPServer" => "http.server",
        "dbm_gnu" => "dbm.gnu",
        "dbm_ndbm" => "dbm.ndbm",
        "_dummy_thread" | "_thread" => "_thread",
        "tkinter_tkfiledialog" => "tkinter.filedialog",
        "tkinter_tksimpledialog" => "tkinter.simpledialog",
        "http_client"
        | "http_cookies"
        | "http_cookiejar"
        | "html_parser"
        | "html_entities"
        | "xmlrpc_client"
        | "xmlrpc_server"
        | "urllib_parse"
        | "urllib_error"
        | "urllib_robotparser"
        | "email_mime_base"
        | "email_mime_image"
        | "email_mime_multipart"
        | "email_mime_nonmultipart"
        | "email_mime_text" => {
            return first.replace('_', ".");
        }
        "urllib" if !rest.is_empty() => {
            let second = rest.split('.').next().unwrap_or_default();
            return format!("urllib.{second}");
        }
        other => other,
    };
    module.to_owned()
}

/// What a package looks for in others on behalf of its own test suite: the
/// package, and the suffix.
pub const TEST_HOOKS: &[(&str, &str)] = &[("sqlalchemy", "provision")];

/// Tools that install packages, present in most images and used by few apps.
/// A library that imports one in a `try` or in a function works without it.
pub const INSTALLERS: &[&str] = &["pip", "setuptools", "wheel", "uv", "distribute"];

/// Loaded at start-up by `distutils-precedence.pth` wherever setuptools is
/// installed, to put a copy of `distutils` in the place of the standard one when
/// that is imported. It does nothing where setuptools is missing, so neither of
/// the two is there for its sake.
pub const SETUPTOOLS_HOOK: &str = "_distutils_hack";

/// Submodules that a package loads by a computed name and that are of no use
/// without one of several other packages.
pub struct Optional {
    pub package: &'static str,
    pub module: &'static str,
    pub needs: &'static [&'static str],
}

/// A dialect of SQLAlchemy cannot connect without a driver. Naming one in an
/// `import`, or as a word in the app's code, keeps it in any case.
pub const OPTIONAL: &[Optional] = &[
    Optional {
        package: "sqlalchemy",
        module: "sqlalchemy.dialects.mssql",
        needs: &["pyodbc", "pymssql", "aioodbc", "mssql_python"],
    },
    Optional {
        package: "sqlalchemy",
        module: "sqlalchemy.dialects.mysql",
        needs: &[
            "MySQLdb", "pymysql", "aiomysql", "asyncmy", "mysql", "mariadb", "cymysql", "pyodbc",
        ],
    },
    Optional {
        package: "sqlalchemy",
        module: "sqlalchemy.dialects.oracle",
        needs: &["oracledb", "cx_Oracle"],
    },
    Optional {
        package: "sqlalchemy",
        module: "sqlalchemy.dialects.postgresql",
        needs: &["psycopg", "psycopg2", "psycopg2cffi", "asyncpg", "pg8000"],
    },
];
