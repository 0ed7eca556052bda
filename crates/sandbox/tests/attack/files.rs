//! Reading what is not the program's, writing where it may not, and lying about what it wrote.

use std::collections::BTreeMap;

use codeward_sandbox::{End, FileKind, Program};

use crate::{attack, attack_report, program};

#[test]
fn the_account_file_is_a_made_up_one() {
    let text = attack_report("print(open('/etc/passwd').read())");
    assert_eq!(text, "root:x:0:0::/nonexistent:/bin/sh\nsandbox:x:1000:1000::/nonexistent:/bin/sh");
    assert_eq!(attack_report("import os\nprint(os.path.exists('/etc/shadow'))"), "False");
}

#[test]
fn homes_and_other_folders_of_the_host_are_not_there() {
    let source =
        "import os\nprint(sorted(set(os.listdir('/')) - {'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32', 'usr'}))";
    let seen = attack_report(source);
    // An interpreter outside /usr brings its own folders, under a name of its own.
    assert!(seen.starts_with("['dev', 'etc'") && seen.ends_with("'tmp']"), "{seen}");
    assert!(!seen.contains("root") && !seen.contains("proc") && !seen.contains("sys"), "{seen}");
}

#[test]
fn a_file_of_the_supervisor_cannot_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "secret").unwrap();
    for path in [&path, &std::env::current_exe().unwrap()] {
        let source = format!("import os\nprint(os.path.exists({path:?}))");
        assert_eq!(attack_report(&source), "False", "{}", path.display());
    }
}

#[test]
fn the_environment_of_the_supervisor_is_not_inherited() {
    let source = "import os\nprint(sorted(os.environ))";
    let names = attack_report(source);
    let expected = "['HOME', 'LC_ALL', 'PATH', 'PYTHONDONTWRITEBYTECODE', 'PYTHONHASHSEED', 'PYTHONNOUSERSITE', \
                    'PYTHONSAFEPATH', 'TMPDIR', 'TZ']";
    assert_eq!(names, expected);
    assert_eq!(attack_report("import os\nprint(os.path.exists('/proc/1/environ'))"), "False");
}

#[test]
fn nothing_outside_the_scratch_folder_can_be_written() {
    let source = "
import os, sys, sysconfig
for folder in ['/', '/usr', '/usr/bin', '/etc', '/dev', '/dev/shm', '/var', '/home', '/root', sysconfig.get_path('stdlib')]:
    try:
        open(os.path.join(folder, 'written'), 'w').close()
        print('written', folder)
    except OSError:
        pass
for path in ['/etc/passwd', '/etc/ld.so.cache', '/usr/bin/env', os.__file__]:
    for how in ('r+b', 'ab', 'wb'):
        try:
            open(path, how).close()
            print('opened', path, how)
        except OSError:
            pass
    for change in (os.unlink, lambda path: os.chmod(path, 0o777), lambda path: os.rename(path, path + 'x')):
        try:
            change(path)
            print('changed', path)
        except OSError:
            pass
";
    assert_eq!(attack_report(source), "");
}

#[test]
fn the_scratch_folder_is_where_programs_expect_one() {
    let source = "
import os, tempfile
open('relative', 'w').write('1')
open('/tmp/absolute', 'w').write('22')
with tempfile.NamedTemporaryFile('w', prefix='named', delete=False) as file:
    file.write('333')
os.makedirs('folder/inner', mode=0o750)
os.mkfifo('pipe')
os.chmod('absolute', 0o640)
print(os.getcwd(), tempfile.gettempdir(), oct(os.stat('.').st_mode & 0o7777), os.umask(0o22) == 0o22)
";
    let outcome = attack(&program(source));
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "/tmp /tmp 0o700 True\n");
    let seen = |path: &str| {
        let file = &outcome.files[path];
        (file.kind, file.mode, file.content.clone())
    };
    assert_eq!(seen("relative"), (FileKind::File, 0o644, b"1".to_vec()));
    assert_eq!(seen("absolute"), (FileKind::File, 0o640, b"22".to_vec()));
    assert_eq!(seen("folder/inner").0, FileKind::Folder);
    assert_eq!(seen("pipe").0, FileKind::Other);
    let named = outcome.files.keys().find(|path| path.starts_with("named")).unwrap();
    assert_eq!(seen(named), (FileKind::File, 0o600, b"333".to_vec()));
    assert_eq!(outcome.files.len(), 6);
}

#[test]
fn a_link_out_of_the_scratch_folder_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "secret").unwrap();
    let source = format!(
        "import os\nos.symlink({0:?}, 'folder')\nos.symlink({0:?} + '/secret', 'file')\nos.symlink('/etc/shadow', 'shadow')",
        folder.path()
    );
    let outcome = attack(&program(&source));
    assert_eq!(outcome.files.keys().collect::<Vec<_>>(), ["file", "folder", "shadow"]);
    assert!(outcome.files.values().all(|file| file.kind == FileKind::Link && file.content.is_empty()));
}

#[test]
fn taking_permissions_away_hides_nothing() {
    let source = "
import os
os.mkdir('folder')
open('folder/file', 'w').write('text')
os.chmod('folder/file', 0)
os.chmod('folder', 0)
os.chmod('.', 0)
";
    let outcome = attack(&program(source));
    assert_eq!((outcome.files["folder"].mode, outcome.files["folder/file"].mode), (0, 0));
    assert_eq!(outcome.files["folder/file"].content, b"text");
}

#[test]
fn files_are_laid_out_and_can_be_imported() {
    let files = BTreeMap::from([
        ("helper.py".to_owned(), b"answer = 42".to_vec()),
        ("data/input.bin".to_owned(), vec![0, 255, 10]),
    ]);
    let source = "import helper\nprint(helper.answer, open('data/input.bin', 'rb').read())";
    let outcome = attack(&Program { files, ..program(source) });
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "42 b'\\x00\\xff\\n'\n");
    assert_eq!(outcome.files["data/input.bin"].content, [0, 255, 10]);
}

#[test]
fn a_file_laid_out_does_not_stand_in_for_a_library() {
    let files = BTreeMap::from([("sndhdr.py".to_owned(), b"raise SystemExit(9)".to_vec())]);
    let outcome = attack(&Program { files, ..program("import wave") });
    assert_eq!(outcome.end, End::Exited { code: 0 });
}

#[test]
fn paths_that_leave_the_scratch_folder_are_the_callers_mistake() {
    let files = BTreeMap::from([("../escape".to_owned(), vec![])]);
    let error = crate::sandbox().run(&Program { files, ..program("pass") }).unwrap_err();
    assert!(matches!(error, codeward_sandbox::SandboxError::BadProgram { .. }) && !error.retryable());
}

#[test]
fn a_deep_tree_or_strange_names_do_not_stop_the_look_around() {
    let source = "
import os
open('first', 'w').close()
open(b'\\xff\\n', 'w').write('odd')
for _ in range(200):
    os.mkdir('d' * 250)
    os.chdir('d' * 250)
";
    let outcome = attack(&program(source));
    assert_eq!(outcome.end, End::Exited { code: 0 });
    assert_eq!(outcome.files["\u{fffd}\n"].content, b"odd");
    assert!(outcome.files.contains_key("first") && outcome.files.len() < 60);
}

#[test]
fn hundreds_of_folders_cost_no_descriptors() {
    let before = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let outcome = attack(&program("import os\nfor index in range(250):\n    os.makedirs(f'{index}/inner')"));
    assert_eq!(outcome.files.len(), 256);
    // Other tests of this process run at the same time and have a few open.
    let after = std::fs::read_dir("/proc/self/fd").unwrap().count();
    assert!(after < before + 100, "{before} {after}");
}
