//! Java: a Maven project, a folder of sources, or a finished jar. The image
//! gets a Java runtime of the modules that the classes use, made by `jlink`.

use std::path::Path;

use super::{Clues, Known, quoted, starts_with};
use crate::settings::Settings;
use crate::source::project::command::Command;
use crate::source::project::craft::{Craft, HostFile, HostSettings, Step};
use crate::source::project::{Folder, ProjectError};

const SETTINGS: HostSettings = HostSettings {
    prefixes: &["MAVEN_OPTS"],
    except: &[],
    files: &[HostFile {
        named_by: "",
        at_home: ".m2/settings.xml",
        variable: "WHIT_MAVEN_SETTINGS",
    }],
    caches: &[("WHIT_MAVEN_REPOSITORY", "maven")],
    certificates: &["SSL_CERT_FILE"],
};

const SOURCES: &[&str] = &[
    "**/*.java",
    "src/main/resources/**",
    "src/test/**",
    "pom.xml",
    "mvnw",
    "mvnw.cmd",
    ".mvn/**",
    "module-info.class",
];

/// Where the Java runtime lies in the image.
const RUNTIME: &str = "/opt/java";

/// Folders below the project that are searched for a class with a `main`.
const MAX_DEPTH: usize = 12;

/// Debian links its JDK and Maven into `/usr/bin` by maintainer scripts, which
/// whit does not run.
const TOOLS: &str = "\
for home in /usr/lib/jvm/java-*-openjdk-*; do
    if [ -x \"$home/bin/javac\" ]; then export JAVA_HOME=\"$home\" PATH=\"$home/bin:/usr/share/maven/bin:$PATH\"; fi
done
command -v jlink >/dev/null || { echo 'there is no JDK with jlink' >&2; exit 1; }
";

/// `jdeps` sees what classes name. What they get by a service or a name they
/// don't is added where something asks for it: elliptic curves for TLS always,
/// character sets and languages where those are chosen.
const LINK: &str = "\
mkdir -p /whit/tmp/classes
for jar in \"$OUT/built$APP\"/*.jar \"$OUT/dependencies$APP\"/lib/*.jar; do
    [ -e \"$jar\" ] || continue
    (cd /whit/tmp/classes && jar xf \"$jar\")
done
for jar in $(find /whit/tmp/classes -name '*.jar'); do (cd /whit/tmp/classes && jar xf \"$jar\"); done
find /whit/tmp/classes -name module-info.class -delete
modules=$(jdeps --ignore-missing-deps --multi-release base --print-module-deps /whit/tmp/classes 2>/whit/tmp/jdeps || true)
case \"$modules\" in java.*|jdk.*) ;; *) cat /whit/tmp/jdeps; modules=java.se,jdk.unsupported ;; esac
modules=$modules,jdk.crypto.ec
asks() { grep -rqaP \"(?<!L)$1(?!;)\" /whit/tmp/classes; }
if asks java/util/Locale; then modules=$modules,jdk.localedata; fi
if asks java/nio/charset/Charset; then modules=$modules,jdk.charsets; fi
if asks java/nio/file/FileSystems; then modules=$modules,jdk.zipfs; fi
if [ -n \"$MODULES\" ]; then modules=$modules,$MODULES; fi
mkdir -p \"$OUT/dependencies/opt\"
jlink --add-modules \"$modules\" --strip-debug --no-header-files --no-man-pages --compress=2 --output \"$OUT/dependencies/opt/java\"
rm -rf \"$OUT/dependencies/opt/java/lib/server/classes.jsa\"
";

/// The jar that Maven made: the one that can be started, else the only one.
const MAVEN: &str = "\
settings=
if [ -n \"$WHIT_MAVEN_SETTINGS\" ]; then settings=\"-s $WHIT_MAVEN_SETTINGS\"; fi
repository=-Dmaven.repo.local=$WHIT_MAVEN_REPOSITORY
if [ -n \"$settings\" ] && grep -q '<localRepository>' \"$WHIT_MAVEN_SETTINGS\"; then repository=; fi
mvn() { command mvn -B -q $settings $repository \"$@\"; }
mvn -DskipTests package
mkdir -p \"$OUT/built$APP\"
for jar in target/*.jar; do
    case \"$jar\" in *-sources.jar|*-javadoc.jar|*-tests.jar|*/original-*) continue ;; esac
    if unzip -p \"$jar\" META-INF/MANIFEST.MF | grep -q '^Main-Class:'; then found=$jar; fi
done
if [ -z \"$found\" ]; then echo 'no jar in target/ has a Main-Class in its manifest' >&2; exit 1; fi
cp \"$found\" \"$OUT/built$APP/app.jar\"
if unzip -p \"$found\" META-INF/MANIFEST.MF | grep -q '^Class-Path:'; then
    mvn dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=/whit/tmp/lib
    mkdir -p \"$OUT/dependencies$APP\"
    mv /whit/tmp/lib \"$OUT/dependencies$APP/lib\"
fi
";

pub fn find(clues: &Clues<'_>) -> Result<Option<Known>, ProjectError> {
    let folder = clues.folder;
    if folder.has_file("pom.xml") {
        let mut craft = craft(clues.settings, &["maven", "unzip"])?;
        craft.leftovers = &["target"];
        craft.steps = vec![step("building", MAVEN.to_owned()), link(clues.settings)];
        let mut known = Known::new(craft, "pom.xml is there");
        known.inputs = vec!["pom.xml"];
        return Ok(Some(started(known, "it is the jar that Maven makes")));
    }
    let gradle = ["build.gradle", "build.gradle.kts"];
    if let Some(file) = gradle.into_iter().find(|name| folder.has_file(name)) {
        return Err(ProjectError::Unsupported {
            path: folder.path(file),
            what: "whit does not run Gradle",
            instead: "build the jar with it and hand that in: whit build build/libs/NAME.jar",
        });
    }
    let mut mains = Vec::new();
    search(folder, "", 0, &mut mains)?;
    let wanted = clues.wanted_program();
    let chosen = mains
        .iter()
        .find(|main| wanted.is_some_and(|wanted| main.rsplit('.').next() == Some(wanted)))
        .or_else(|| mains.iter().find(|main| main.ends_with("Main")));
    let main = match (mains.as_slice(), chosen) {
        ([], _) => return Ok(None),
        ([one], _) | (_, Some(one)) => one.clone(),
        _ => {
            return Err(ProjectError::SeveralCommands {
                name: "the project".to_owned(),
                dir: clues.dir.to_owned(),
                commands: mains,
            });
        }
    };
    let mut craft = craft(clues.settings, &[])?;
    craft.leftovers = &["target", "out"];
    craft.steps = vec![step("compiling", compile(&main)), link(clues.settings)];
    let mut known = Known::new(craft, "Java sources are there, and no build file");
    known.say("main class", main, "it has a main method");
    Ok(Some(started(known, "it is the jar of the sources")))
}

/// A finished jar: `whit build app.jar`.
pub fn of_file(file: &Path, settings: &Settings) -> Result<Option<Known>, ProjectError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if !name.ends_with(".jar") || !starts_with(file, b"PK\x03\x04")? {
        return Ok(None);
    }
    let mut craft = craft(settings, &["unzip"])?;
    let script = format!(
        "\
unzip -p {jar} META-INF/MANIFEST.MF | grep -q '^Main-Class:' || {{ echo 'its manifest has no Main-Class' >&2; exit 1; }}
mkdir -p \"$OUT/built$APP\"
cp {jar} \"$OUT/built$APP/app.jar\"
",
        jar = quoted(&format!("./{name}")),
    );
    craft.steps = vec![step("looking at the jar", script), link(settings)];
    let mut known = Known::new(craft, "the file that was named is a jar");
    known.name = name.strip_suffix(".jar").map(str::to_owned);
    Ok(Some(started(known, "it is the jar that was named")))
}

fn craft(settings: &Settings, tools: &[&str]) -> Result<Craft, ProjectError> {
    let mut craft = Craft::new("Java");
    craft.suite = super::suite(settings)?;
    let jdk = match craft.suite {
        "bookworm" => "openjdk-17-jdk-headless",
        _ => "openjdk-21-jdk-headless",
    };
    craft.tools = tools
        .iter()
        .chain(&[jdk, "binutils"])
        .map(|name| (*name).to_owned())
        .collect();
    craft.settings = SETTINGS;
    craft.sources = SOURCES;
    craft.path = vec!["/opt/java/bin"];
    craft.stands_alone = false;
    Ok(craft)
}

fn started(mut known: Known, because: &str) -> Known {
    let words = ["java", "-jar", "app.jar"].map(str::to_owned).to_vec();
    known.command = Some(Command::found(words, because.to_owned()));
    known.say(
        "java",
        format!("{RUNTIME}, made by jlink (Debian {})", known.craft.suite),
        "of the modules that the classes use",
    );
    known
}

fn step(phase: &'static str, script: String) -> Step {
    Step {
        phase,
        script: format!("{TOOLS}{script}"),
    }
}

fn link(settings: &Settings) -> Step {
    let modules = settings
        .add_modules
        .as_deref()
        .unwrap_or_default()
        .join(",");
    let script = format!("MODULES={}\n{LINK}", quoted(&modules));
    step("linking a Java runtime", script)
}

/// Sources below `src/main/java`, `src` or the folder itself; what lies among
/// them and is no source is a resource. Jars of `lib` are the class path.
fn compile(main: &str) -> String {
    format!(
        "\
for root in src/main/java src .; do if [ -d \"$root\" ]; then break; fi; done
find \"$root\" -name '*.java' ! -path '*/test/*' >/whit/tmp/sources
mkdir -p /whit/tmp/made \"$OUT/built$APP\"
javac -encoding UTF-8 -cp 'lib/*' -d /whit/tmp/made @/whit/tmp/sources
for resources in \"$root\" src/main/resources; do
    [ -d \"$resources\" ] || continue
    if [ \"$resources\" = . ]; then continue; fi
    (cd \"$resources\" && find . -type f ! -name '*.java' -exec cp --parents {{}} /whit/tmp/made/ \\;)
done
echo 'Class-Path: '\"$(find lib -name '*.jar' 2>/dev/null | sort | tr '\\n' ' ')\" >/whit/tmp/manifest
jar --create --date=1980-01-01T00:00:02Z --file \"$OUT/built$APP/app.jar\" --manifest /whit/tmp/manifest --main-class {} -C /whit/tmp/made .
if [ -d lib ]; then mkdir -p \"$OUT/dependencies$APP\"; cp -r lib \"$OUT/dependencies$APP/lib\"; fi
",
        quoted(main)
    )
}

/// Classes with a `main`, by their full names.
fn search(
    folder: &Folder,
    at: &str,
    depth: usize,
    found: &mut Vec<String>,
) -> Result<(), ProjectError> {
    for name in folder.names(at) {
        let path = match at {
            "" => name.clone(),
            at => format!("{at}/{name}"),
        };
        let is_skipped =
            name.starts_with('.') || matches!(name.as_str(), "test" | "target" | "out");
        if let Some(class) = name.strip_suffix(".java")
            && let Some(text) = folder.read(&path)?
            && has_main(&text)
        {
            found.push(match package(&text) {
                Some(package) => format!("{package}.{class}"),
                None => class.to_owned(),
            });
        } else if depth < MAX_DEPTH && !is_skipped && folder.has_dir(&path) {
            search(folder, &path, depth + 1, found)?;
        }
    }
    Ok(())
}

fn has_main(text: &str) -> bool {
    text.lines()
        .any(|line| line.contains("static void main(") && !line.trim_start().starts_with("//"))
}

fn package(text: &str) -> Option<&str> {
    text.lines()
        .find_map(|line| line.trim().strip_prefix("package ")?.split(';').next())
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_start() {
        let text = "// c\npackage org.example.app;\n\npublic class Main {\n    public static void main(String[] args) {}\n}\n";
        assert!(has_main(text));
        assert_eq!(package(text), Some("org.example.app"));
        assert!(!has_main(
            "class A { void main() {} }\n// static void main(\n"
        ));
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("src/org/example/app")).unwrap();
        std::fs::write(dir.path().join("src/org/example/app/Main.java"), text).unwrap();
        let mut found = Vec::new();
        search(&Folder::new(dir.path()), "", 0, &mut found).unwrap();
        assert_eq!(found, ["org.example.app.Main"]);
    }
}
