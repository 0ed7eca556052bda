//! What is read as C and C++, and how far hostile text gets.

use codeward_analysis::{Content, Language, analyse};

const KERNEL: &str = r"
static int __init probe_one(struct device *dev, int count)
{
	struct box *item;
	int err = -ENOMEM;

	if (unlikely(!dev))
		return -EINVAL;
	list_for_each_entry(item, &dev->boxes, list) {
		if (item->count == count)
			goto out;
	}
#ifdef CONFIG_TRACE
	trace_one(dev);
#else
	trace_none(dev);
#endif
	do {
		err = step(dev, count--);
	} while (err > 0);
	switch (err) {
	case -EAGAIN:
	case -EINTR:
		return 0;
	default:
		break;
	}
out:
	return err;
}
";

const TEMPLATES: &str = r"
#include <string>
#include <vector>
namespace app {
template <typename T>
class Store {
public:
    explicit Store(std::size_t limit) : limit_(limit) {}
    void add(const T &item) {
        if (items_.size() < limit_)
            items_.push_back(item);
        auto print = [this](const T &one) { return one.size() + items_.size(); };
        for (const auto &one : items_)
            print(one);
    }
private:
    std::vector<T> items_;
    std::size_t limit_;
};
}
";

#[test]
fn kernel_style_with_macros_is_no_syntax_error() {
    let analysis = analyse(Language::C, KERNEL).unwrap();
    assert_eq!(analysis.syntax_error, None);
    assert_eq!(analysis.content, Content::Functions);
}

#[test]
fn classes_templates_and_closures_are_read() {
    let analysis = analyse(Language::Cpp, TEMPLATES).unwrap();
    assert_eq!(analysis.syntax_error, None);
    assert_eq!(analysis.content, Content::Functions);
}

#[test]
fn a_function_without_its_type_is_read_and_its_spans_are_those_of_the_text() {
    let source = "f(const char *name)\n{\n    char line[8];\n    strcpy(line, name);\n}\n";
    let analysis = analyse(Language::C, source).unwrap();
    assert_eq!(analysis.syntax_error, None);
    let finding = analysis.findings.iter().find(|finding| finding.rule == "c/unbounded-copy").unwrap();
    assert_eq!(&source[finding.start_byte..finding.end_byte], "name");
    assert_eq!(finding.line, 4);
}

#[test]
fn macros_and_branches_that_cut_statements_are_read_and_spans_stay() {
    let source = "void f(int n, const char *name)\n{\n    char line[8];\n    START_LIBRARY\n#ifdef FAST\n    if (n > 3) {\n#else\n    if (n > 4) {\n#endif\n        strcpy(line, name);\n    }\n}\n";
    let analysis = analyse(Language::C, source).unwrap();
    assert_eq!(analysis.syntax_error, None);
    let finding = analysis.findings.iter().find(|finding| finding.rule == "c/unbounded-copy").unwrap();
    assert_eq!(&source[finding.start_byte..finding.end_byte], "name");
    assert_eq!(finding.line, 10);
}

#[test]
fn what_is_not_c_is_said_not_to_be() {
    for source in [
        "def f(x):\n    return x + 1\n",
        "int f(void) { return 1 +; }",
        "int f( { int x = ; }",
        "Here is the code you asked for.",
    ] {
        let analysis = analyse(Language::C, source).unwrap();
        assert!(analysis.syntax_error.is_some(), "{source}");
    }
}

#[test]
fn deep_nesting_is_reported_and_does_not_overflow() {
    let sources = [
        format!("int f(int x) {{ return {}x{}; }}", "(".repeat(5000), ")".repeat(5000)),
        format!("int f(int x) {{ return {}x; }}", "!".repeat(5000)),
        format!("int f(int x) {{ return x{}; }}", " + x".repeat(5000)),
        format!("int f(int x) {{ {} x = 1; {} }}", "{".repeat(3000), "}".repeat(3000)),
        format!("int f(int x) {{ {} x = 1; }}", "if (x) ".repeat(3000)),
        format!("int f(int x) {{ {} }}", "if (x) x++; else ".repeat(3000)),
        format!("int {}f;", "*".repeat(9000)),
    ];
    for source in sources {
        let reader = std::thread::Builder::new().stack_size(2 << 20);
        let reader =
            reader.spawn(move || [Language::C, Language::Cpp].map(|language| analyse(language, &source).is_ok()));
        assert_eq!(reader.unwrap().join().unwrap(), [true, true]);
    }
}
