//! Apps that are built in the stage that ships.

use super::Rule;
use super::build_tools::tools;
use crate::lint::Case;
use crate::lint::finding::{Bytes, Finding};
use crate::lint::script::Command;

pub const RULE: Rule = Rule {
    name: "no-multi-stage",
    cost: "the compiler, its caches and the sources",
    why: "the stage that builds the app is the stage that ships",
    mend: "build in a stage of its own, and COPY --from it what the app needs to run",
    check,
};

fn check(case: &Case<'_>) -> Vec<Finding> {
    let installs_tools = case
        .file
        .final_runs()
        .any(|(_, step, run)| !tools(step, run).0.is_empty());
    // Those who install compilers are told so already.
    if case.is_for_development() || installs_tools {
        return Vec::new();
    }
    let builds = case
        .commands()
        .find_map(|(at, _, command)| Some((at, compiles(command)?)));
    let Some((at, what)) = builds else {
        return Vec::new();
    };
    let step = &case.file.steps[at];
    vec![Finding {
        rule: RULE.name,
        line: step.line,
        message: format!("`{what}` builds in the stage that ships, which keeps the build's tools"),
        advice: RULE.mend.to_owned(),
        bytes: Bytes::Unknown,
        mend: None,
        gauge: None,
    }]
}

/// The command, if it makes programs out of sources.
pub fn compiles(command: &Command) -> Option<String> {
    const VERBS: [(&[&str], &[&str]); 11] = [
        (&["go"], &["build", "install"]),
        (&["cargo"], &["build", "install"]),
        (
            &["mvn", "mvnw"],
            &["package", "install", "verify", "clean", "compile"],
        ),
        (
            &["gradle", "gradlew"],
            &[
                "build",
                "assemble",
                "bootJar",
                "shadowJar",
                "clean",
                "installDist",
            ],
        ),
        (&["dotnet"], &["build", "publish"]),
        (
            &["sbt", "lein", "mix"],
            &["assembly", "uberjar", "release", "compile", "package"],
        ),
        (
            &["swift", "zig", "stack", "cabal", "dune"],
            &["build", "install"],
        ),
        (
            &["npm", "pnpm", "yarn", "bun"],
            &["run", "run-script", "build"],
        ),
        (&["ng", "vite", "next", "nuxt", "webpack"], &["build"]),
        (&["cmake", "meson"], &["--build", "compile"]),
        (&["hugo", "bazel"], &["build"]),
    ];
    let program = command.program.as_str();
    if matches!(
        program,
        "gcc" | "g++" | "cc" | "c++" | "clang" | "rustc" | "javac" | "make" | "ninja" | "tsc"
    ) {
        let asks = command.has(&["--version", "-v"]);
        return (!asks).then(|| program.to_owned());
    }
    let (_, verbs) = VERBS
        .iter()
        .find(|(programs, _)| programs.contains(&program))?;
    let first = match program {
        "mvn" | "mvnw" | "gradle" | "gradlew" | "cmake" | "sbt" => command
            .args
            .iter()
            .position(|arg| verbs.contains(&arg.trim_start_matches(':')))?,
        _ => command.verb(verbs)?,
    };
    let verb = &command.args[first];
    if verb == "run" || verb == "run-script" {
        let script = command.operands_after(first).next()?;
        let builds = script == "build" || script.starts_with("build:");
        return builds.then(|| format!("{program} run {script}"));
    }
    Some(format!("{program} {verb}"))
}
