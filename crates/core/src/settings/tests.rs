use std::path::Path;

use super::*;
use crate::size::Bytes;

fn read(text: &str) -> Result<Layer, SettingsError> {
    file::own(text, Path::new("whit.toml"))
}

fn parse(text: &str) -> Result<Settings, String> {
    match read(text) {
        Ok(layer) => Ok(layer.settings),
        Err(error) => Err(format!("{error} | {}", error.hint().unwrap_or_default())),
    }
}

#[test]
fn a_full_file() {
    let settings = parse(
        r#"
        command = "uvicorn 'my app:app' --port 8000"
        env = { MODE = "prod" }
        expose = [8000, "53/udp"]
        user = 1000
        policy = "tight"
        python-code = "both"
        build-packages = ["libpq-dev"]

        [[probe]]
        http = 'POST /items json={"name":"a"}'

        [[probe]]
        exec = "python -V"

        [budget]
        size = "20MB"
        packages = { numpy = "30MB" }
        "#,
    )
    .unwrap();
    assert_eq!(
        settings.command.unwrap(),
        ["uvicorn", "my app:app", "--port", "8000"]
    );
    assert_eq!(settings.user.as_deref(), Some("1000"));
    let ports: Vec<String> = settings
        .expose
        .unwrap()
        .iter()
        .map(Port::to_string)
        .collect();
    assert_eq!(ports, ["8000/tcp", "53/udp"]);
    assert_eq!(settings.policy, Some(Policy::Tight));
    assert_eq!(settings.probe.unwrap().len(), 2);
    let budget = settings.budget.unwrap();
    assert_eq!(budget.size, Some(Bytes(20_000_000)));
    assert_eq!(budget.packages["numpy"], Bytes(30_000_000));
}

#[test]
fn errors_name_the_place_and_what_was_meant() {
    for (text, said) in [
        (
            "user = \"a\"\ncomand = \"x\"\n",
            "whit.toml:2:1: there is no key `comand` | did you mean `command`?",
        ),
        (
            "registry_mirror = []\n",
            "whit.toml:1:1: there is no key `registry_mirror` | did you mean `registry-mirrors`?",
        ),
        (
            "[colours]\nred = 1\n",
            "whit.toml:1:2: there is no key `colours` | `whit config --schema` prints all keys and what they mean",
        ),
        (
            "[[probe]]\nexec = \"ls\"\n\n[[probe]]\n  retries = 200\n",
            "whit.toml:5:3: there is no key `retries` | there are exec, http, stdin, test",
        ),
        (
            "[budget]\npackges = { numpy = \"30MB\" }\n",
            "whit.toml:2:1: there is no key `packges` | did you mean `packages`?",
        ),
        (
            "workdir = \"/app\"\nkeep = \"x\"\n",
            "whit.toml:2:8: invalid type: string \"x\", expected a sequence | ",
        ),
        (
            "expose = [99999]\n",
            "whit.toml:1:10: \"99999\" is not a port | ",
        ),
        (
            "policy = \"brave\"\n",
            "whit.toml:1:10: unknown variant `brave`, expected one of `safe`, `tight`, `repack` | ",
        ),
        (
            "[budget]\nsize = \"big\"\n",
            "whit.toml:2:8: \"big\" is no size like 20MB, 1.5GB or 500k | ",
        ),
        (
            "command = \"a 'b\"\n",
            "whit.toml:1:11: a quotation mark is not closed | ",
        ),
        ("command = []\n", "whit.toml:1:11: the command is empty | "),
        (
            "user = \n",
            "whit.toml:1:8: string values must be quoted, expected literal string | ",
        ),
        (
            "keep = []\n[[probe]]\nhttp = \"GET /\"\nexec = \"ls\"\n",
            "whit.toml:2:1: probe \"http GET /, exec ls\": a [[probe]] table asks one question | give it one of http, exec, test; stdin goes with exec or alone",
        ),
    ] {
        assert_eq!(parse(text).unwrap_err(), said);
    }
}

#[test]
fn pyproject_errors_have_its_own_lines_and_other_tools_are_left_alone() {
    let shared = |text| {
        file::shared(text, Path::new("pyproject.toml"))
            .map(|layer| layer.settings)
            .map_err(|error| error.to_string())
    };
    let error = shared("[tool.black]\nline-length = 3\n[tool.whit]\npolicy = 1\n").unwrap_err();
    assert!(error.starts_with("pyproject.toml:4:10: "), "{error}");
    let error = shared("[tool.black]\nkep = 3\n[tool.whit]\nkep = []\n").unwrap_err();
    assert_eq!(error, "pyproject.toml:4:1: there is no key `kep`");
    for none in ["[tool.black]\n", "", "tool.whit = {}\n"] {
        assert_eq!(shared(none), Ok(Settings::default()));
    }
    assert!(shared("tool = 3\n").is_err());
}

#[test]
fn the_higher_layer_wins() {
    let high = parse("command = \"a\"\nkeep = [\"x\"]\nenv = { A = \"1\" }").unwrap();
    let low = parse(
        "command = \"b\"\nentrypoint = \"e\"\nkeep = [\"y\"]\nenv = { A = \"2\", B = \"3\" }\nuser = \"u\"",
    )
    .unwrap();
    let both = high.or(low);
    assert_eq!(both.command.unwrap(), ["a"]);
    assert_eq!(both.entrypoint, None);
    assert_eq!(both.keep.unwrap(), ["x", "y"]);
    assert_eq!(both.user.as_deref(), Some("u"));
    let env = both.env.unwrap();
    assert_eq!((env["A"].as_str(), env["B"].as_str()), ("1", "3"));
}

#[test]
fn layers_win_in_their_order_and_say_who_set_what() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write(
        "whit.toml",
        "command = \"a b\"\npolicy = \"tight\"\nkeep = [\n  \"x\",\n  \"y\",\n]\nsuite = \"trixie\"\n[env]\nA = \"1\"\n[[probe]]\nstdin = \"in.csv\"\n",
    );
    write(
        "pyproject.toml",
        "[tool.whit]\nentrypoint = \"e\"\nkeep = [\"z\"]\nuser = \"u\"\nenv = { A = \"0\", B = \"2\" }\nbudget.size = \"9MB\"\n",
    );
    let flags = Settings {
        policy: Some(Policy::Repack),
        ..Settings::default()
    };
    let variables = [
        ("WHIT_SUITE", "bookworm"),
        ("WHIT_POLICY", "safe"),
        ("HOME", "/"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let layers = Layers::new(flags, &variables.into(), dir.path()).unwrap();
    let rows: Vec<String> = layers
        .explained()
        .iter()
        .map(|row| {
            let from = row.from.replace(&format!("{}/", dir.path().display()), "");
            let value = row
                .value
                .to_string()
                .replace(dir.path().to_str().unwrap(), "");
            format!("{} = {value} <- {from}", row.key)
        })
        .collect();
    let expected = r#"command = ["a","b"] <- whit.toml:1
env.A = "1" <- whit.toml:9
env.B = "2" <- pyproject.toml:5
user = "u" <- pyproject.toml:4
suite = "bookworm" <- WHIT_SUITE
policy = "repack" <- --policy
keep = "x" <- whit.toml:4
keep = "y" <- whit.toml:5
keep = "z" <- pyproject.toml:3
python-code = "bytecode" <- default
strip = true <- default
compress = "gzip:10" <- default
network = "none" <- default
start-timeout = 60 <- default
probe-timeout = 30 <- default
probe = {"stdin":"/in.csv"} <- whit.toml:10
budget.size = 9000000 <- pyproject.toml:6"#;
    assert_eq!(rows.join("\n"), expected);

    // What is shown is what holds.
    let merged = serde_json::to_value(layers.merged()).unwrap();
    let mut shown = serde_json::json!({});
    for row in layers.explained() {
        match row.key.split_once('.') {
            Some((table, name)) => shown[table][name] = row.value,
            None if merged[&row.key].is_array() && !row.value.is_array() => {
                let list = &mut shown[&row.key];
                match list.as_array_mut() {
                    Some(list) => list.push(row.value),
                    None => *list = serde_json::json!([row.value]),
                }
            }
            None => shown[&row.key] = row.value,
        }
    }
    assert_eq!(shown, merged);
}

#[test]
fn variables_have_the_types_of_their_keys() {
    let read = |name: &str, value: &str| {
        file::environment(&[(name.to_owned(), value.to_owned())].into())
            .map_err(|error| error.to_string())
    };
    let settings = read("WHIT_START_TIMEOUT", "90").unwrap();
    assert_eq!(settings.start_timeout, Some(90));
    assert_eq!(read("WHIT_STRIP", "false").unwrap().strip, Some(false));
    assert_eq!(
        read("WHIT_USER", "1000").unwrap().user.as_deref(),
        Some("1000")
    );
    let error = read("WHIT_POLICY", "brave").unwrap_err();
    assert!(
        error.starts_with("the environment's WHIT_POLICY is \"brave\": unknown variant"),
        "{error}"
    );
    assert!(read("WHIT_START_TIMEOUT", "soon").is_err());
    assert!(read("WHIT_STRIP", "1").is_err());
}

#[test]
fn every_key_is_in_the_table_of_keys() {
    let schema = schema();
    let mut known: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    known.sort_unstable();
    let described: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(known, described);
}

/// The folder of what is written for users.
fn docs() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

#[test]
fn the_published_schema_is_that_of_the_reader() {
    let file = docs().join("whit.schema.json");
    let written = std::fs::read_to_string(&file).unwrap();
    let made = format!("{:#}\n", schema());
    assert!(
        written == made,
        "docs/whit.schema.json is old; renew it: whit config --schema > docs/whit.schema.json"
    );
}

/// The blocks of TOML of the page.
fn examples(page: &str) -> Vec<String> {
    let blocks = page.split("```toml\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn reader_and_schema_accept_and_refuse_the_same() {
    let page = std::fs::read_to_string(docs().join("whit.toml.md")).unwrap();
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let valid = |text: &str| {
        let table: toml::Table = toml::from_str(text).unwrap();
        let json = serde_json::to_value(table).unwrap();
        validator
            .iter_errors(&json)
            .map(|error| error.to_string())
            .next()
    };
    let good = examples(&page);
    assert!(good.len() >= KEYS.len(), "every key has an example");
    for text in good {
        assert_eq!(parse(&text).err(), None, "{text}");
        assert_eq!(valid(&text), None, "{text}");
    }
    for text in [
        "comand = 'x'",
        "command = 5",
        "keep = 'x'",
        "keep = [1]",
        "env = ['A=1']",
        "env = { A = 1 }",
        "expose = [0]",
        "expose = [99999]",
        "expose = ['80/sctp']",
        "user = true",
        "policy = 'brave'",
        "python = 3.11",
        "strip = 'yes'",
        "network = 'lan'",
        "start-timeout = -1",
        "start-timeout = 'long'",
        "python_code = 'both'",
        "probe = 'GET /'",
        "[[probe]]\nhtpp = 'GET /'",
        "[budget]\nsize = 'big'",
        "[budget]\nsize = 1.5",
        "[budget]\nimage = '20MB'",
        "[budget.packages]\nnumpy = 'big'",
    ] {
        assert!(parse(text).is_err(), "{text}");
        assert!(valid(text).is_some(), "{text}");
    }
}

#[test]
fn the_page_has_a_section_for_every_key() {
    let page = std::fs::read_to_string(docs().join("whit.toml.md")).unwrap();
    let mut sections: Vec<(&str, &str)> = Vec::new();
    for section in page.split("\n### `").skip(1) {
        sections.push(section.split_once("`\n").unwrap());
    }
    let titles: Vec<&str> = sections.iter().map(|(title, _)| *title).collect();
    assert_eq!(titles, KEYS.map(|key| key.name));
    let defaults = serde_json::to_value(Settings::defaults()).unwrap();
    let schema = schema();
    for ((title, text), key) in sections.iter().zip(KEYS) {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let flags = key.flag.unwrap_or_default().split(", ");
        for word in flags.chain(key.variable) {
            assert!(text.contains(word), "{title} does not mention {word}");
        }
        if let Some(default) = defaults.get(key.name) {
            let said = format!("Default: `{default}`");
            assert!(text.contains(&said), "{title} does not say {said}");
        }
        assert!(text.contains("```toml"), "{title} has no example");
        let item = &schema["properties"][key.name];
        let below = item["items"].get("properties").or(item.get("properties"));
        for name in below
            .and_then(|below| below.as_object())
            .into_iter()
            .flatten()
        {
            assert!(
                text.contains(&format!("| `{}` |", name.0)),
                "{title}: {}",
                name.0
            );
        }
    }
}
