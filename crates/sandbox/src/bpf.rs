//! Filters of system calls as the kernel wants them: small programs for its packet-filter machine.
//!
//! The kernel runs a new filter once for every system call there is, to learn which it lets pass whatever the arguments. A
//! program that looks for the number in a list therefore costs the square of its length, once for each program that is run; one
//! that halves the list at each step costs next to nothing.

use std::collections::BTreeMap;

/// One instruction, laid out as the kernel's `sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    operand: u32,
}

/// A condition on the lower half of one argument: under this mask it has this value. The upper halves mean nothing to the
/// calls that have rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Masked {
    pub(crate) argument: u8,
    pub(crate) mask: u32,
    pub(crate) value: u32,
}

/// Rules by system call: the call matches when any of its conditions holds, or always when it has none.
pub(crate) type Rules = BTreeMap<libc::c_long, Vec<Masked>>;

const LOAD_WORD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

// Offsets into the kernel's `seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

#[cfg(target_arch = "x86_64")]
const OURS: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const OURS: u32 = 0xC000_00B7;

/// Fewer numbers than this are compared one by one.
const SHORT: usize = 3;

/// A filter that answers `matched` to what the rules match and `otherwise` to the rest. A call by another architecture's rules
/// ends the process.
pub(crate) fn compile(rules: &Rules, matched: u32, otherwise: u32) -> Vec<Instruction> {
    let mut program = vec![
        plain(LOAD_WORD, ARCHITECTURE),
        Instruction { code: JUMP_IF_EQUAL, if_true: 1, if_false: 0, operand: OURS },
        plain(RETURN, libc::SECCOMP_RET_KILL_PROCESS),
        plain(LOAD_WORD, NUMBER),
    ];
    let rules: Vec<(u32, &[Masked])> =
        rules.iter().map(|(number, conditions)| (*number as u32, conditions.as_slice())).collect();
    program.extend(search(&rules, matched, otherwise));
    program
}

/// Looks for the number among sorted ones.
fn search(rules: &[(u32, &[Masked])], matched: u32, otherwise: u32) -> Vec<Instruction> {
    if rules.len() > SHORT {
        let (lower, upper) = rules.split_at(rules.len() / 2);
        let lower = search(lower, matched, otherwise);
        // A conditional jump reaches 255 instructions, a plain one any number.
        let mut program = vec![
            Instruction { code: JUMP_IF_AT_LEAST, if_true: 0, if_false: 1, operand: upper[0].0 },
            plain(JUMP, lower.len() as u32),
        ];
        program.extend(lower);
        program.extend(search(upper, matched, otherwise));
        return program;
    }
    let mut program = Vec::new();
    for (number, conditions) in rules {
        let answer = answer(conditions, matched, otherwise);
        let past = u8::try_from(answer.len()).expect("no call has a hundred conditions");
        program.push(Instruction { code: JUMP_IF_EQUAL, if_true: 0, if_false: past, operand: *number });
        program.extend(answer);
    }
    program.push(plain(RETURN, otherwise));
    program
}

/// The answer to one call.
fn answer(conditions: &[Masked], matched: u32, otherwise: u32) -> Vec<Instruction> {
    let mut program = Vec::new();
    for condition in conditions {
        program.extend([
            plain(
                LOAD_WORD,
                ARGUMENTS + 8 * u32::from(condition.argument) + if cfg!(target_endian = "big") { 4 } else { 0 },
            ),
            plain(AND, condition.mask),
            Instruction { code: JUMP_IF_EQUAL, if_true: 0, if_false: 1, operand: condition.value },
            plain(RETURN, matched),
        ]);
    }
    program.push(plain(RETURN, if conditions.is_empty() { matched } else { otherwise }));
    program
}

fn plain(code: u16, operand: u32) -> Instruction {
    Instruction { code, if_true: 0, if_false: 0, operand }
}

/// A filter as hexadecimal text, eight bytes an instruction, as the kernel reads it.
pub(crate) fn to_hex(filter: &[Instruction]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(filter.len() * 16);
    for instruction in filter {
        let [a, b] = instruction.code.to_ne_bytes();
        let [c, d, e, f] = instruction.operand.to_ne_bytes();
        for byte in [a, b, instruction.if_true, instruction.if_false, c, d, e, f] {
            write!(text, "{byte:02x}").expect("writing to a string does not fail");
        }
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Runs a filter as the kernel does: its answer, and how many instructions that took.
    pub(crate) fn run(filter: &[Instruction], architecture: u32, number: u32, arguments: [u64; 6]) -> (u32, usize) {
        let (mut at, mut word, mut steps) = (0, 0_u32, 0);
        loop {
            let Instruction { code, if_true, if_false, operand } = filter[at];
            at += 1;
            steps += 1;
            match code {
                LOAD_WORD => {
                    word = match operand {
                        NUMBER => number,
                        ARCHITECTURE => architecture,
                        offset => arguments[((offset - ARGUMENTS) / 8) as usize] as u32,
                    }
                }
                AND => word &= operand,
                JUMP => at += operand as usize,
                JUMP_IF_EQUAL => at += usize::from(if word == operand { if_true } else { if_false }),
                JUMP_IF_AT_LEAST => at += usize::from(if word >= operand { if_true } else { if_false }),
                RETURN => return (operand, steps),
                other => panic!("no instruction has the code {other:#x}"),
            }
        }
    }

    pub(crate) fn answer_to(filter: &[Instruction], number: u32, arguments: [u64; 6]) -> u32 {
        run(filter, OURS, number, arguments).0
    }

    fn matches(rules: &Rules, number: u32, arguments: [u64; 6]) -> bool {
        rules.get(&libc::c_long::from(number)).is_some_and(|conditions| {
            conditions.is_empty()
                || conditions.iter().any(|one| arguments[usize::from(one.argument)] as u32 & one.mask == one.value)
        })
    }

    #[test]
    fn every_number_gets_the_answer_that_the_rules_give() {
        let condition = |argument, mask, value| Masked { argument, mask, value };
        for count in 0..40_i64 {
            let conditions = |number: i64| match number % 3 {
                0 => vec![],
                1 => vec![condition(0, u32::MAX, 5), condition(1, 0xff, 7)],
                _ => vec![condition(2, 0x1_0000, 0)],
            };
            let rules: Rules = (0..count).map(|number| (3 * number + 1, conditions(number))).collect();
            let filter = compile(&rules, 1, 2);
            for number in 0..130 {
                for arguments in [
                    [0; 6],
                    [5, 0, 0x1_0000, 0, 0, 0],
                    [1, 0x307, 0x1_0000, 0, 0, 0],
                    [1 << 32 | 5, 0, u64::MAX, 0, 0, 0],
                ] {
                    let wanted = if matches(&rules, number, arguments) { 1 } else { 2 };
                    assert_eq!(answer_to(&filter, number, arguments), wanted, "{count} rules, call {number}");
                }
            }
        }
    }

    #[test]
    fn another_architecture_ends_the_process() {
        let filter = compile(&Rules::new(), 1, 2);
        assert_eq!(run(&filter, OURS ^ 1, 0, [0; 6]).0, libc::SECCOMP_RET_KILL_PROCESS);
    }

    #[test]
    fn a_long_list_is_searched_in_few_steps() {
        let rules: Rules = (0..300).map(|number| (number, vec![])).collect();
        let filter = compile(&rules, 1, 2);
        let most = (0..400).map(|number| run(&filter, OURS, number, [0; 6]).1).max().unwrap();
        assert!(most < 30, "{most} steps");
    }
}
