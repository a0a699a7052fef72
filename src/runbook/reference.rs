//! The reference of the runbook language, made from the tables that check it.

use std::fmt::Write as _;

use super::load::SHAPES;
use super::step_shape::acts;
use crate::facts;
use crate::resource::KINDS;
use crate::shape::{Shape, Ty};

/// The reference as Markdown. A test keeps `runbooks/REFERENCE.md` equal to it.
pub fn reference() -> String {
    let mut text = String::from(
        "# Reference of the runbook language\n\n\
         Generated from the tables that check runbooks; a test keeps it current. Every text may hold\n\
         `{{ … }}` (MiniJinja, strict). Block comments in templates are `{## … ##}`.\n",
    );
    let mut seen: Vec<&str> = Vec::new();
    for shape in SHAPES {
        push_shape(&mut text, shape, &mut seen);
    }
    text.push_str("\n# Steps without a resource\n\nIn place of a resource a step can have one of these keys.\n\n");
    for act in acts() {
        let _ = writeln!(
            text,
            "- `{}` ({}): {}",
            act.name,
            act.ty.describe(),
            act.help
        );
    }
    text.push_str("\n# Kinds of resources\n\nA step has exactly one of these keys.\n");
    for kind in KINDS {
        let _ = write!(text, "\n## `{}`\n\n{}\n\n", kind.key, kind.help);
        if let Some(short) = kind.shape.shorthand {
            let _ = write!(text, "A value without a mapping stands for `{short}`.\n\n");
        }
        push_fields(&mut text, kind.shape);
    }
    text.push_str("\n# Names in templates\n\n");
    text.push_str(
        "- `inputs.NAME`: the runbook's inputs\n- `vars.NAME`: variables of the inventory\n",
    );
    text.push_str("- `host`: `name`, `address`, `port`, `user`, `connection`, `groups`, `tags`\n");
    text.push_str(
        "- `data.NAME.LIST`: external data, lists of texts\n- `item`: inside `for_each`\n",
    );
    let _ = writeln!(text, "- `facts`: `{}`", facts::NAMES.join("`, `"));
    text.push_str("- filters beside MiniJinja's own: `sh` (a shell word), `network` (a canonical network), `ipv4`, `ipv6` (those of a list)\n");
    text.push_str("- tests beside MiniJinja's own: `is within(LIST)` (an address or network lies in one of the networks)\n");
    text
}

fn push_shape(text: &mut String, shape: &'static Shape, seen: &mut Vec<&'static str>) {
    if seen.contains(&shape.name) {
        return;
    }
    seen.push(shape.name);
    let title = shape
        .name
        .trim_start_matches("an ")
        .trim_start_matches("a ");
    let _ = write!(
        text,
        "\n## {}{}\n\n",
        title[..1].to_uppercase(),
        &title[1..]
    );
    if let Some(short) = shape.shorthand {
        let _ = write!(text, "A value without a mapping stands for `{short}`.\n\n");
    }
    push_fields(text, shape);
}

fn push_fields(text: &mut String, shape: &'static Shape) {
    text.push_str("| key | value | |\n| --- | --- | --- |\n");
    for field in shape.fields {
        let must = if field.required {
            " **must be there**"
        } else {
            ""
        };
        let value = field.ty.describe().replace('|', "\\|");
        let _ = writeln!(
            text,
            "| `{}` | {value}{must} | {} |",
            field.name,
            field.help.replace('|', "\\|")
        );
    }
    for field in shape.fields {
        if let Ty::One(below) | Ty::Many(below) | Ty::Named(below) = field.ty
            && !SHAPES.iter().any(|known| known.name == below.name)
        {
            let _ = write!(text, "\n`{}`, {}:\n\n", field.name, below.name);
            push_fields(text, below);
        }
    }
}
