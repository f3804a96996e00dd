//! Kills: of the journal at every byte, and of a process that paints and saves.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;

#[test]
fn a_journal_cut_at_any_byte_gives_the_steps_before_it() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    let mut desk = Desk::new(&path);
    let journal_path = desk.journal.path().to_owned();
    let mut states = vec![(desk.journal.end(), desk.project.clone())];
    for i in 0..5 {
        desk.paint(PixelRect::new(40 * i, 30 * i, 90, 70), 1 + i as u32);
        states.push((desk.journal.end(), desk.project.clone()));
    }
    for position in [4, 3, 4] {
        desk.go_to(position);
        states.push((desk.journal.end(), desk.project.clone()));
    }
    desk.paint(PixelRect::new(300, 300, 20, 20), 5);
    states.push((desk.journal.end(), desk.project.clone()));
    let bytes = std::fs::read(&journal_path).unwrap();
    drop(desk);

    for length in states[0].0..=bytes.len() as u64 {
        atomic::write_bytes(&journal_path, &bytes[..length as usize], true).unwrap();
        let (desk, remarks) = Desk::open(&path);
        let (end, state) = states.iter().rev().find(|(end, _)| *end <= length).unwrap();
        assert!(desk.project == *state, "cut at {length}");
        assert_eq!(desk.journal.end(), *end);
        assert_eq!(remarks.iter().any(|remark| remark.contains("not complete")), length > *end, "{remarks:?}");
    }
}

#[test]
fn a_byte_that_is_wrong_anywhere_in_the_journal_costs_only_what_comes_after_it() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    let mut desk = Desk::new(&path);
    let journal_path = desk.journal.path().to_owned();
    let mut states = vec![(desk.journal.end(), desk.project.clone())];
    for i in 0..4 {
        desk.paint(PixelRect::new(40 * i, 30 * i, 90, 70), 1 + i as u32);
        states.push((desk.journal.end(), desk.project.clone()));
    }
    let bytes = std::fs::read(&journal_path).unwrap();
    drop(desk);

    let first = states[0].0 as usize;
    for at in (first..bytes.len()).step_by(3) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x41;
        atomic::write_bytes(&journal_path, &damaged, true).unwrap();
        let opened = open_project(&path, Access::Read, BUDGET, &Silent).unwrap();
        let (_, state) = states.iter().rev().find(|(end, _)| *end as usize <= at).unwrap();
        assert!(opened.project == *state, "wrong at {at}");
        assert!(!opened.remarks.is_empty());
    }
}

const PAINTS: &str = "NUNATAK_TEST_PAINTS";

/// The process that is killed: one new pixel per step, a save every 7 steps.
#[test]
fn painting_process() {
    let Some(path) = std::env::var_os(PAINTS) else { return };
    let say = |n: usize| writeln!(std::io::stdout(), "committed {n}").unwrap();
    let (mut desk, _) = Desk::open(Path::new(&path));
    loop {
        let n = desk.count() as usize;
        desk.paint(PixelRect::new(n % 700, n / 700, 1, 1), 1 + (n % 5) as u32);
        say(n + 1);
        if n.is_multiple_of(11) {
            desk.go_to(desk.history.position() - 1);
            say(n);
            desk.go_to(desk.history.position() + 1);
            say(n + 1);
        }
        if n.is_multiple_of(7) {
            desk.save();
        }
    }
}

#[test]
fn a_process_killed_while_it_paints_and_saves_loses_no_step() {
    let kills = std::env::var("NUNATAK_TEST_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.nunatak");
    drop(Desk::new(&path));

    for kill in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "project::tests::kill::painting_process", "--nocapture", "--test-threads=1"])
            .env(PAINTS, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let is_step = |line: &String| line.contains("committed ");
        let first = lines.find(is_step);
        std::thread::sleep(Duration::from_micros(997 * (kill * 37 % 50)));
        child.kill().unwrap();
        child.wait().unwrap();
        let last = lines.filter(is_step).last().or(first).expect("the process painted");
        let committed: u64 = last.rsplit(' ').next().unwrap().parse().unwrap();

        let (desk, _) = Desk::open(&path);
        // The next step, which may be an undo, may have been in the journal and not yet on the line.
        let lowest = if committed % 11 == 1 { committed - 1 } else { committed };
        assert!((lowest..=committed + 1).contains(&desk.count()), "kill {kill}: {committed} and {}", desk.count());
        drop(desk);
        assert_eq!(verify(&path, &Silent).unwrap().problems, Vec::<String>::new());
    }
}
