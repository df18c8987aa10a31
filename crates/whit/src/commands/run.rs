//! `whit run`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use whit_core::observe::{Stage, forward};
use whit_sandbox::{Exit, Network, Running, Stdin};

use super::settings::of_registries;
use super::transports::transports;
use super::workplace::{Workplace, reference, unpack_image};
use crate::args::{NetworkChoice, Run};
use crate::ui::{Failure, Screen};

pub fn run(args: &Run, place: &Workplace, screen: &Screen) -> Result<ExitCode, Failure> {
    let settings = of_registries(&args.registries, &place.around, Path::new("."))?;
    let transports = transports(&place.around, &args.registries, &settings, screen)?;
    let tools = place.tools(screen, &transports);
    let reference = reference(&args.image)?;
    let image = unpack_image(&reference, args.platform.as_ref(), None, &tools)?;
    let mut stage = Stage::new(
        &image.dirs,
        &image.config,
        &image.tree,
        &tools.workspace.folder("stage")?,
    )?;
    if !args.args.is_empty() {
        let mut argv = image.config.entrypoint();
        argv.extend(args.args.iter().cloned());
        stage = stage.with_argv(argv);
    }
    if args.network == NetworkChoice::Host {
        stage.network = Network::Host;
    }
    let mut command = stage.own_command().map_err(|error| {
        let hint = error.hint();
        Failure::input(error).hint(hint)
    })?;
    for pair in &args.env {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Failure::input(anyhow::anyhow!("--env {pair:?} is not NAME=VALUE")))?;
        command.env.retain(|(known, _)| known != name);
        command.env.push((name.into(), value.into()));
    }
    command.stdin = Stdin::Inherit;
    let ports = args
        .publish
        .iter()
        .map(|text| publish(text))
        .collect::<Result<Vec<_>, Failure>>()?;
    screen.clear();

    let running = Mutex::new(Running::start(&stage.spec(), &command)?);
    let stop = AtomicBool::new(false);
    let exit = std::thread::scope(|scope| {
        for (listener, inside) in &ports {
            let (running, stop) = (&running, &stop);
            scope.spawn(move || {
                let connect = || {
                    lock(running)
                        .connect(*inside, Duration::from_secs(10))
                        .map_err(std::io::Error::other)
                };
                // Only the listener itself can fail, and then nobody is served.
                let _ = forward::forward(listener, &connect, stop);
            });
        }
        let exit = wait(&running, tools.cancel);
        stop.store(true, Ordering::Relaxed);
        exit
    })?;
    Ok(match exit {
        Exit::Code(code) => ExitCode::from(code.to_le_bytes()[0]),
        // As shells tell it.
        Exit::Signal(signal) => ExitCode::from(128u8.wrapping_add(signal.to_le_bytes()[0])),
    })
}

/// Waits for the end; the first Ctrl-C is handed on as SIGTERM.
fn wait(running: &Mutex<Running>, cancel: &AtomicBool) -> Result<Exit, Failure> {
    const SIGTERM: i32 = 15;
    const TICK: Duration = Duration::from_millis(50);
    /// Ticks that it may take to stop.
    const GRACE: u32 = 200;
    let mut asked = 0;
    loop {
        if let Some(exit) = lock(running).wait(Duration::ZERO)? {
            return Ok(exit);
        }
        if cancel.load(Ordering::Relaxed) {
            if asked == 0 {
                lock(running).signal(SIGTERM)?;
            }
            asked += 1;
            if asked > GRACE {
                return Ok(Exit::Signal(9));
            }
        }
        std::thread::sleep(TICK);
    }
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `8080:80` or `8080`: a listener on loopback and the address inside.
fn publish(text: &str) -> Result<(TcpListener, SocketAddr), Failure> {
    let (host, inside) = text.split_once(':').unwrap_or((text, text));
    let number = |text: &str| {
        text.parse::<u16>().map_err(|_| {
            Failure::input(anyhow::anyhow!("--publish {text:?} is no port"))
                .hint("whit run IMAGE -p 8080:8000".to_owned())
        })
    };
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let listener = TcpListener::bind((loopback, number(host)?)).map_err(|error| {
        Failure::input(anyhow::anyhow!(
            "cannot listen on 127.0.0.1:{host}: {error}"
        ))
        .hint("name another port: -p OTHER:INSIDE".to_owned())
    })?;
    Ok((listener, SocketAddr::new(loopback, number(inside)?)))
}
