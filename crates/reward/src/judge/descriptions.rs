//! What the weaknesses are, in a sentence each: as much as somebody needs who knows the word for none of them.
//!
//! The words are ours. The table has the weaknesses that SecCoderX writes its tasks for (the 18 of its published quota; the paper speaks of
//! 24 and does not list them), those of our own tasks, and those that are asked about most besides.

use codeward_records::Cwe;

/// Ordered by number.
const DESCRIPTIONS: &[(u16, &str)] = &[
    (
        20,
        "Data from outside is used without a check that it has the type, length, range or form that the code relies on.",
    ),
    (
        22,
        "A file name from outside is joined to a folder without making sure that the result stays inside that folder.",
    ),
    (
        77,
        "Text from outside becomes part of a command for another program, where some of its characters have a meaning.",
    ),
    (
        78,
        "Text from outside reaches a shell or an operating system's command line, where it can start commands of its own.",
    ),
    (
        79,
        "Text from outside becomes part of a web page without being encoded for its place there, so that it can run as script.",
    ),
    (88, "A value from outside becomes an argument of a program, which may read it as an option."),
    (
        89,
        "Text from outside is put into an SQL statement instead of being bound as a parameter, and can change the statement.",
    ),
    (90, "Text from outside becomes part of an LDAP filter or name without escaping, and can change whom it matches."),
    (91, "Text from outside is put into XML without escaping, and can add elements or attributes."),
    (94, "Text from outside is compiled or interpreted as code."),
    (95, "Text from outside is handed to a function that evaluates expressions of the program's own language."),
    (
        113,
        "Text with line breaks from outside becomes an HTTP header, so that it can add headers or a second response.",
    ),
    (116, "Output for another program or format is not encoded, or not for the place where it ends up."),
    (117, "Text from outside is logged with its line breaks, so that it can forge entries."),
    (119, "Memory is read or written at a place that is not within the buffer that was meant."),
    (120, "Data is copied into a buffer without comparing its length with the buffer's."),
    (121, "Data is written past the end of a buffer on the stack."),
    (122, "Data is written past the end of a buffer on the heap."),
    (125, "Data is read before the start or past the end of a buffer."),
    (134, "Text from outside is used as the format of a formatting function, whose directives it can contain."),
    (
        190,
        "A sum, product or conversion can be larger than its type holds, and the wrapped value is relied on, often as a size.",
    ),
    (191, "A difference can be smaller than its type holds, and the wrapped value is relied on."),
    (193, "A bound or a size is wrong by one, so that one element too many is touched, or a terminator has no room."),
    (
        200,
        "Somebody who may not know it is shown information: other people's data, secrets, or the inside of the system.",
    ),
    (208, "How long a comparison or an operation takes tells something about a secret."),
    (209, "An error message tells an outsider about paths, queries, versions or secrets."),
    (276, "Something new, often a file, is created with permissions that let others read or change it."),
    (287, "Somebody's claim of who they are is accepted without enough proof."),
    (295, "The certificate of the other side is not checked, or not whether it is trusted, valid and of that host."),
    (306, "A function that matters can be used without saying who one is."),
    (311, "Sensitive data is stored or sent without encryption."),
    (319, "Sensitive data goes over a network where others can read it."),
    (326, "Encryption is used with keys or parameters that are too small for what they protect."),
    (327, "An algorithm or mode of cryptography is used that is known to be broken, or one that was made up."),
    (328, "A hash is used where collisions or preimages matter, and it is one for which they can be found."),
    (330, "A value that must not be guessed comes from a source that can be."),
    (338, "A token, key or password is drawn from a generator that is not made for secrets."),
    (347, "A signature is not checked, or in a way that accepts some that are not valid."),
    (
        352,
        "A request that changes something is accepted because of the browser's cookies alone, so that other sites can cause it.",
    ),
    (362, "Two executions touch the same thing at once without agreeing on an order, and the result depends on it."),
    (367, "Something is checked and then used, and can be exchanged in between."),
    (369, "A divisor that comes from outside or from a computation can be zero."),
    (377, "A temporary file gets a name that others can foresee, or is opened without making sure that it is new."),
    (400, "A request can make the program use as much time, memory or other resources as the sender likes."),
    (401, "Memory or another resource is not released on some path after its last use."),
    (409, "Packed data is unpacked without a limit on what it may become."),
    (415, "The same memory is released twice."),
    (416, "Memory is used after it was released."),
    (434, "A file from outside is stored without restricting its type or name, where it can be run or served."),
    (470, "Text from outside chooses the class, module or function that is used."),
    (476, "A pointer or reference that can be null is used as though it could not."),
    (502, "Data from outside is turned into objects by a format that can run code or build any type."),
    (522, "Credentials are stored or sent in a way from which others can recover them."),
    (532, "Passwords, keys or personal data are written to a log."),
    (601, "An address from outside is used as the target of a redirect without making sure that it is one of ours."),
    (611, "XML from outside is read with external entities, so that it can fetch files and addresses."),
    (614, "A cookie that matters can travel over unencrypted connections."),
    (639, "A key from outside selects a record without a check that the sender may have that record."),
    (643, "Text from outside becomes part of an XPath expression without escaping, and can change what it selects."),
    (676, "A function is used that cannot be used safely, or only with care that is not taken here."),
    (703, "An unusual condition or an error is not handled, and execution goes on as if it had not been."),
    (732, "A file or another resource that matters gets permissions that let people change or read it who should not."),
    (760, "The salt of a password's hash is the same for everybody or can be foreseen."),
    (770, "Something is allocated as often or as large as a request asks, without a limit."),
    (776, "XML from outside may define entities in terms of each other, so that little text becomes very much."),
    (787, "Data is written before the start or past the end of a buffer."),
    (798, "A password, key or token is written in the code."),
    (835, "A loop's end depends on a condition that some input never makes true."),
    (862, "An action is done without a check that the one who asks may do it."),
    (863, "There is a check of who may do it, and it lets people through who may not."),
    (908, "Memory or an object is used before it has a value."),
    (
        915,
        "Names of fields from outside decide which fields of an object are set, those that are not meant for it included.",
    ),
    (916, "A password's hash is so quick to compute that many guesses can be tried."),
    (918, "An address from outside is fetched by the server, which reaches places that the sender cannot."),
    (943, "Data from outside becomes part of a query to a database without SQL, and can bring operators of its own."),
    (1236, "Text from outside is written into a spreadsheet's cell, where it is a formula when it begins like one."),
    (1321, "A key from outside can name the prototype of objects, so that properties of all of them change."),
    (1333, "A regular expression takes very much longer on some inputs than their length suggests."),
    (1336, "Text from outside becomes part of a template's source, whose expressions it can contain."),
];

/// What this weakness is, in one sentence of our own; None for one outside the table.
pub fn description(cwe: Cwe) -> Option<&'static str> {
    let at = DESCRIPTIONS.binary_search_by_key(&cwe.0, |(number, _)| *number).ok()?;
    Some(DESCRIPTIONS[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weakness_of_the_published_quota_has_a_name_and_a_description() {
        let quota = [20, 22, 78, 79, 89, 94, 119, 120, 125, 190, 200, 276, 295, 327, 416, 476, 732, 787];
        for number in quota {
            assert!(description(Cwe(number)).is_some(), "{number}");
            assert_ne!(Cwe(number).name(), "unnamed weakness", "{number}");
        }
        assert_eq!(description(Cwe(9999)), None);
    }

    #[test]
    fn the_table_is_ordered_and_its_entries_are_single_sentences() {
        assert!(DESCRIPTIONS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (number, text) in DESCRIPTIONS {
            assert!(text.ends_with('.') && !text.contains('\n') && !text.contains("CWE"), "{number}");
        }
    }
}
