//! The command line.

mod build;
mod cache;
mod compare;
mod examples;
mod look;

use clap::{Parser, Subcommand};
use examples::*;

pub use build::*;
pub use cache::*;
pub use compare::*;
pub use look::*;

/// Your app, and not a whit more.
///
/// whit makes container images as small as they can be while they still work,
/// proves that they still work, and shows where every byte went. No daemon,
/// no root.
#[derive(Debug, Parser)]
#[command(name = "whit", version, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "Start with `whit build .` in a Python project, or `whit shrink IMAGE.tar`."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// When to use colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Screen"
    )]
    pub color: ColorWhen,

    /// Print nothing but results and errors
    #[arg(short, long, global = true, help_heading = "Screen")]
    pub quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorWhen {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a small image of a project folder
    ///
    /// Finds out what the project is and how it starts, puts a runtime from
    /// Debian packages under it, installs its dependencies with uv, runs it,
    /// keeps what it can reach, and runs the result again before it is written.
    #[command(after_help = BUILD_EXAMPLES)]
    Build(Box<Build>),

    /// Make an existing image smaller
    ///
    /// Runs the image, keeps what it can reach, and runs the result again
    /// before it is written.
    #[command(after_help = SHRINK_EXAMPLES)]
    Shrink(Box<Shrink>),

    /// Tell why a path is in a small image, or why it is not
    #[command(after_help = WHY_EXAMPLES)]
    Why(Why),

    /// Show where the bytes of an image are, and which are wasted
    ///
    /// By layer, package, type and folder, with every file's share of the
    /// compressed layer. A view to walk in on a terminal, a summary elsewhere.
    /// Nothing is run and nothing unpacked.
    #[command(after_help = EXPLORE_EXAMPLES)]
    Explore(Explore),

    /// Tell how big images are and how long they take to pull
    ///
    /// Reads each image once, runs nothing and unpacks nothing. "Uncompressed"
    /// is what the regular files of all layers add up to: with the targets of
    /// symbolic links, what `docker image inspect` calls Size. "Compressed" is
    /// what the layers take as they are stored; where they are stored without
    /// compression, as by `docker save`, it is extrapolated from samples and
    /// marked ~.
    #[command(after_help = SIZE_EXAMPLES)]
    Size(Box<Size>),

    /// Make one app in every way that people ship apps, and put them side by side
    ///
    /// A full Debian, a slim one, distroless's packages and whit's own images,
    /// each put together from Debian packages without an engine, run and asked the
    /// same. With an engine, the Dockerfiles that people write for it are built
    /// too. What cannot be had here is listed with the reason.
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare(Box<Compare>),

    /// Tell what changed from one image to another
    ///
    /// Compares files, packages and configuration, and names whose bytes the
    /// difference is. Times of files are not compared.
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(Diff),

    /// Print a Dockerfile that makes a small image again, without whit
    ///
    /// From the report that `whit shrink` left beside the image. Several
    /// stages, no build context: what was kept is copied out of the original
    /// by docker, podman or buildah.
    #[command(after_help = RECIPE_EXAMPLES)]
    Recipe(Recipe),

    /// Run an image in whit's sandbox, without an engine
    #[command(after_help = RUN_EXAMPLES)]
    Run(Run),

    /// Write a whit.toml that says what was detected
    ///
    /// Each line says what holds without the file, and why: with it the image is
    /// the same, until you change a line.
    #[command(after_help = INIT_EXAMPLES)]
    Init(Init),

    /// Show what `whit build` would do, and who decided it
    ///
    /// Flags come before variables of the environment, those before whit.toml and
    /// pyproject.toml, and files before what is detected. Takes the flags of
    /// `whit build`.
    #[command(after_help = CONFIG_EXAMPLES)]
    Config(Box<Config>),

    /// Show what whit keeps between runs, and make room
    ///
    /// Nothing in there is needed: what is missing is fetched or made again.
    #[command(after_help = CACHE_EXAMPLES)]
    Cache(Cache),

    /// Find the habits of a Dockerfile that cost size
    ///
    /// Looks at what ends in the final image and nothing else: the last stage
    /// and the stages that it begins with. Says per line what it costs, why,
    /// and how to mend it, as a patch. Exits with 1 if it finds something.
    #[command(after_help = LINT_EXAMPLES)]
    Lint(Lint),

    /// Build and run many Dockerfiles, and tell which work, why others don't, how large each is
    ///
    /// Takes every Dockerfile.PROGRAM[.BUILD[.RUN]][.err], Dockerfile-NAME and
    /// NAME.Dockerfile of a folder, which is the context of the builds. Rows of
    /// the same program are compared with each other; names with .err are
    /// expected to fail. Exits with 1 if one is not as its name says.
    #[command(after_help = MATRIX_EXAMPLES)]
    Matrix(Box<Matrix>),

    /// Print a completion script for a shell
    Completions {
        /// bash, zsh, fish, elvish or powershell
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// A program reads what it prints.
    pub fn is_for_programs(&self) -> bool {
        match self {
            Self::Build(args) => args.output.json,
            Self::Shrink(args) => args.output.json,
            Self::Explore(args) => args.json,
            Self::Size(args) => args.form.json,
            Self::Diff(args) => args.form.json,
            Self::Lint(args) => args.json,
            Self::Compare(args) => args.form.json,
            Self::Config(args) => args.build.output.json,
            Self::Matrix(args) => args.form.json,
            Self::Recipe(_)
            | Self::Init(_)
            | Self::Why(_)
            | Self::Run(_)
            | Self::Cache(_)
            | Self::Completions { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use whit_core::settings::KEYS;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_that_keys_name_exist() {
        let cli = Cli::command();
        let build = cli.find_subcommand("build").unwrap();
        for key in KEYS {
            for flag in key.flag.unwrap_or_default().split(", ") {
                let Some(name) = flag
                    .strip_prefix("--")
                    .filter(|name| !name.starts_with(' '))
                else {
                    continue;
                };
                let known = build
                    .get_arguments()
                    .any(|arg| arg.get_long() == Some(name));
                assert!(known, "{} names {flag}", key.name);
            }
        }
    }
}
