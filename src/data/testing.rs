//! Cloudflare's entry for the tests of this module.

use super::Spec;
use crate::diagnostic::{Diagnostics, Source};
use crate::yaml;

pub(super) const CLOUDFLARE: &str = r#"
cloudflare:
  help: Cloudflare's published edge ranges
  sources:
    - url: "{{ inputs.api }}"
      json: { ipv4: /result/ipv4_cidrs, ipv6: /result/ipv6_cidrs }
      require: { /success: true, /errors: [] }
    - { url: "{{ inputs.text_v4 }}", lines: ipv4 }
    - { url: "{{ inputs.text_v6 }}", lines: ipv6 }
  ca_file: "{{ inputs.ca_file }}"
  lists:
    ipv4: { family: ipv4, count: 10-40, prefix: 11-24, addresses: 800000-3000000 }
    ipv6: { family: ipv6, count: 4-24, prefix: 24-48 }
  change: { removed: 25%, lost: 20%, added: 30% }
  canary: 60%
  built_in:
    date: 2025-06-01
    ipv4:
      - 173.245.48.0/20
      - 103.21.244.0/22
      - 103.22.200.0/22
      - 103.31.4.0/22
      - 141.101.64.0/18
      - 108.162.192.0/18
      - 190.93.240.0/20
      - 188.114.96.0/20
      - 197.234.240.0/22
      - 198.41.128.0/17
      - 162.158.0.0/15
      - 104.16.0.0/13
      - 104.24.0.0/14
      - 172.64.0.0/13
      - 131.0.72.0/22
    ipv6:
      - 2400:cb00::/32
      - 2606:4700::/32
      - 2803:f800::/32
      - 2405:b500::/32
      - 2405:8100::/32
      - 2a06:98c0::/29
      - 2c0f:f248::/32
"#;

/// Reads `text` as what stands below `data:`, by the shape and beyond.
pub(super) fn read(text: &str) -> (Option<Spec>, Diagnostics) {
    let mut out = Diagnostics::new();
    let node = yaml::parse(&Source::new("r.yaml", text)).unwrap();
    let (key, value) = &node.entries()[0];
    super::SHAPE.check(value, &mut out);
    let spec = Spec::from_node(key, value, &mut out);
    out.sort();
    (spec, out)
}

pub(super) fn cloudflare() -> Spec {
    let (spec, out) = read(CLOUDFLARE);
    spec.unwrap_or_else(|| panic!("{out}"))
}

/// The texts of a list in the entry.
pub(super) fn built_in(list: &str) -> Vec<String> {
    let spec = cloudflare();
    let list = spec.built_in.lists.get(list);
    list.iter().map(ToString::to_string).collect()
}
