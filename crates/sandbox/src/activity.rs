//! Whether a program does something or waits.

use std::fs;

/// True if `pid` or a process below it has a thread that runs, would run if it
/// got a processor, or waits for a disk: states `R` and `D` of
/// proc_pid_stat(5). Children are known where the kernel tells them
/// (`CONFIG_PROC_CHILDREN`, in every distribution's kernel).
pub(crate) fn is_busy(pid: i32) -> bool {
    let mut open = vec![pid.to_string()];
    while let Some(pid) = open.pop() {
        // What has ended meanwhile is not busy.
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
            continue;
        };
        for thread in threads.flatten() {
            let read = |name: &str| fs::read_to_string(thread.path().join(name));
            if read("stat").is_ok_and(|stat| matches!(state(&stat), Some('R' | 'D'))) {
                return true;
            }
            let children = read("children").unwrap_or_default();
            open.extend(children.split_whitespace().map(str::to_owned));
        }
    }
    false
}

/// The letter behind the name, which may itself contain anything.
fn state(stat: &str) -> Option<char> {
    let (_, behind) = stat.rsplit_once(')')?;
    behind.trim_start().chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_stand_behind_any_name() {
        for (stat, letter) in [
            ("7 (sleep) S 1 7", Some('S')),
            ("7 (a) R (b) R 1 7", Some('R')),
            ("7 ()) D 1", Some('D')),
            ("", None),
        ] {
            assert_eq!(state(stat), letter, "{stat}");
        }
    }

    #[test]
    fn what_reads_itself_is_busy_and_what_is_gone_is_not() {
        assert!(is_busy(std::process::id().cast_signed()));
        assert!(!is_busy(i32::MAX));
    }
}
