//! What a program sees of its sandbox, and what it leaves behind.

use whit_sandbox::Exit;

use crate::root::{busybox, command, run, text};

#[test]
fn a_pipeline_runs_as_pid_one() {
    let Some(root) = busybox() else { return };
    let words = [
        "sh",
        "-c",
        "echo $$; id -u; hostname; seq 5 | wc -l; cat /etc/os-release; exit 3",
    ];
    let Some(outcome) = run(&root.spec(), &command(&words)) else {
        return;
    };
    assert_eq!(text(&outcome.stderr), "");
    assert_eq!(text(&outcome.stdout), "1\n0\nsmall\n5\nID=small\n");
    assert_eq!(outcome.exit, Exit::Code(3));
    println!("{outcome:?}");
}
