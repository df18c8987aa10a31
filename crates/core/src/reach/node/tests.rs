use super::*;
use crate::testing::{TestRoot, root};

/// What stays below `/app`, starting from the user's files.
fn kept(lines: &[&str], env: &[&str], command: &[&str]) -> Vec<String> {
    let mut all = vec!["*usr/bin/node", "*bin/sh"];
    all.extend(lines);
    let test = root(&all, env);
    close(&test, command)
}

fn close(test: &TestRoot, command: &[&str]) -> Vec<String> {
    let tree = &test.root.tree;
    let command = command.iter().map(|word| (*word).to_owned()).collect();
    let node = Node::new(&test.root, vec![command]).unwrap();
    let mut roots = node.roots();
    roots.extend(
        tree.iter()
            .filter(|(_, node)| node.is_file() && node.package.is_none())
            .filter(|(id, _)| node.modules.around(*id).is_none())
            .map(|(id, _)| (id, How::UserFile)),
    );
    let graph = crate::reach::Graph::close(tree, roots, &[&node]);
    graph
        .causes
        .keys()
        .filter(|id| tree.node(**id).is_file())
        .filter_map(|id| tree.path(*id).as_str().map(str::to_owned))
        .filter_map(|path| Some(path.strip_prefix("app/node_modules/")?.to_owned()))
        .collect()
}

#[test]
fn packages_that_code_names_stay_whole() {
    let kept = kept(
        &[
            "app/package.json = {\"dependencies\": {\"a\": \"1\", \"v\": \"1\", \"unused\": \"1\"}, \"devDependencies\": {\"d\": \"1\"}}",
            "app/main.js = function later() { return require('a/sub') }\\nset('view engine', 'v')",
            "app/vite.config.js = import 'd'",
            "app/node_modules/a/package.json = {\"name\": \"a\", \"dependencies\": {\"b\": \"1\", \"build\": \"1\"}}",
            "app/node_modules/a/sub.js = const b = require(`b`); try { require('d') } catch {}",
            "app/node_modules/a/data/table.bin",
            "app/node_modules/a/README.md",
            "app/node_modules/a/LICENSE",
            "app/node_modules/a/test/x.js",
            "app/node_modules/a/index.d.ts",
            "app/node_modules/b/package.json = {\"name\": \"b\", \"optionalDependencies\": {\"o\": \"1\"}}",
            "app/node_modules/build/package.json = {\"name\": \"build\"}",
            "app/node_modules/d/package.json = {\"name\": \"d\"}",
            "app/node_modules/o/package.json = {\"name\": \"o\"}",
            "app/node_modules/unused/package.json = {\"name\": \"unused\"}",
            "app/node_modules/v/package.json = {\"name\": \"v\"}",
        ],
        &[],
        &["node", "main.js"],
    );
    assert_eq!(
        kept,
        [
            "a/LICENSE",
            "a/data/table.bin",
            "a/package.json",
            "a/sub.js",
            "b/package.json",
            "o/package.json",
            "v/package.json"
        ]
    );
}

#[test]
fn computed_names_may_be_whatever_is_declared() {
    let lines = [
        "app/package.json = {\"dependencies\": {\"express\": \"1\", \"pug\": \"1\"}, \"devDependencies\": {\"d\": \"1\"}}",
        "app/main.js = require('express')",
        "app/node_modules/express/package.json = {\"name\": \"express\"}",
        "app/node_modules/express/view.js = fn = require(ext).__express",
        "app/node_modules/pug/package.json = {\"name\": \"pug\"}",
        "app/node_modules/d/package.json = {\"name\": \"d\"}",
    ];
    let expected = [
        "express/package.json",
        "express/view.js",
        "pug/package.json",
    ];
    assert_eq!(kept(&lines, &[], &["node", "main.js"]), expected);
}

#[test]
fn development_packages_only_where_they_are_loaded() {
    let lines = [
        "app/package.json = {\"devDependencies\": {\"d\": \"1\", \"e\": \"1\"}}",
        "app/main.js = if (dev) require('d'); word = 'e'",
        "app/node_modules/d/package.json = {\"name\": \"d\"}",
        "app/node_modules/e/package.json = {\"name\": \"e\"}",
    ];
    assert_eq!(kept(&lines, &[], &["node", "main.js"]), ["d/package.json"]);
    assert!(kept(&lines, &["NODE_ENV=production"], &["node", "main.js"]).is_empty());
}

#[test]
fn scripts_of_npm_lead_to_packages() {
    let lines = [
        "app/package.json = {\"scripts\": {\"start\": \"cross-env A=1 node -r dotenv/config main.js\"}, \"devDependencies\": {\"cross-env\": \"1\", \"dotenv\": \"1\"}}",
        "app/main.js = 1",
        "app/node_modules/.bin/cross-env -> ../cross-env/cli.js",
        "*app/node_modules/cross-env/cli.js = #!/usr/bin/env node",
        "app/node_modules/cross-env/package.json = {\"name\": \"cross-env\"}",
        "app/node_modules/dotenv/package.json = {\"name\": \"dotenv\"}",
    ];
    let mut all = vec!["*usr/bin/node", "*bin/sh"];
    all.extend(lines);
    let mut test = root(&all, &[]);
    test.root.config.set_exec("WorkingDir", "/app".into());
    assert_eq!(
        close(&test, &["npm", "start"]),
        [
            "cross-env/cli.js",
            "cross-env/package.json",
            "dotenv/package.json"
        ]
    );
}

#[test]
fn ballast_that_code_names_stays() {
    let kept = kept(
        &[
            "app/main.js = require('a')",
            "app/node_modules/a/package.json = {\"name\": \"a\", \"main\": \"docs/main.js\"}",
            "app/node_modules/a/docs/main.js = require('../test/helper')",
            "app/node_modules/a/docs/other.js",
            "app/node_modules/a/test/helper.js",
            "app/node_modules/a/test/other.js",
        ],
        &[],
        &[],
    );
    assert_eq!(
        kept,
        ["a/docs/main.js", "a/package.json", "a/test/helper.js"]
    );
}

#[test]
fn programs_that_are_started() {
    let test = root(
        &[
            "*usr/bin/node",
            "*bin/sh",
            "*usr/bin/df",
            "*usr/bin/convert",
            "*usr/bin/git",
            "*usr/bin/other",
            "app/main.js = import { exec, spawn } from 'node:child_process'; exec('df -h'); run('convert')",
            "app/node_modules/g/package.json = {\"name\": \"g\"}",
            "app/node_modules/g/i.js = require('child_process').spawn('git', ['log']); x = 'other'",
        ],
        &[],
    );
    let node = Node::new(&test.root, Vec::new()).unwrap();
    let mut found = test.names(&node.follow(test.id("app/main.js")).edges);
    found.dedup();
    assert_eq!(
        found,
        ["/bin/sh", "/usr/bin/df", "/bin/sh", "/usr/bin/convert"]
    );
    let found = test.names(&node.follow(test.id("app/node_modules/g/i.js")).edges);
    assert_eq!(found, ["/app/node_modules/g/package.json", "/usr/bin/git"]);
}
