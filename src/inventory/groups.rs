//! Which group contains which.

use std::collections::{BTreeMap, BTreeSet};

use crate::value::Name;

/// The groups and, for each, those that contain it directly.
#[derive(Debug, Default)]
pub(super) struct Tree {
    parents: BTreeMap<Name, BTreeSet<Name>>,
}

impl Tree {
    pub(super) fn add(&mut self, group: &Name) {
        self.parents.entry(group.clone()).or_default();
    }

    pub(super) fn put_inside(&mut self, child: &Name, parent: &Name) {
        self.add(parent);
        self.parents
            .entry(child.clone())
            .or_default()
            .insert(parent.clone());
    }

    fn parents(&self, group: &Name) -> impl Iterator<Item = &Name> {
        self.parents.get(group).into_iter().flatten()
    }

    /// Every group that contains `group`, however far outside.
    pub(super) fn around(&self, group: &Name) -> BTreeSet<Name> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&Name> = self.parents(group).collect();
        while let Some(next) = open.pop() {
            if found.insert(next.clone()) {
                open.extend(self.parents(next));
            }
        }
        found
    }

    /// For each group, how many are around it on the longest way out.
    ///
    /// # Errors
    /// The groups of a ring, each inside the next, and the first again at the end.
    pub(super) fn depths(&self) -> Result<BTreeMap<Name, usize>, Vec<Name>> {
        let mut depths: BTreeMap<Name, usize> = BTreeMap::new();
        let mut open: BTreeSet<&Name> = self.parents.keys().collect();
        // From the outermost inwards, one layer after the other.
        while !open.is_empty() {
            let free = |group: &&&Name| self.parents(group).all(|parent| !open.contains(parent));
            let layer: Vec<&Name> = open.iter().filter(free).copied().collect();
            if layer.is_empty() {
                return Err(self.ring(&open));
            }
            for group in layer {
                open.remove(group);
                let around = self
                    .parents(group)
                    .map(|parent| 1 + depths.get(parent).unwrap_or(&0));
                let depth = around.max().unwrap_or(0);
                depths.insert(group.clone(), depth);
            }
        }
        Ok(depths)
    }

    /// Walks outwards among groups that all have a parent among themselves, until one comes again.
    fn ring(&self, stuck: &BTreeSet<&Name>) -> Vec<Name> {
        let mut path: Vec<&Name> = Vec::new();
        let mut at = stuck.first().copied();
        while let Some(group) = at {
            if let Some(start) = path.iter().position(|earlier| *earlier == group) {
                path.push(group);
                return path.drain(start..).cloned().collect();
            }
            path.push(group);
            at = self.parents(group).find(|parent| stuck.contains(parent));
        }
        path.into_iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn tree(pairs: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        for (child, parent) in pairs {
            tree.put_inside(&name(child), &name(parent));
        }
        tree
    }

    #[test]
    fn the_longest_way_out_counts() {
        let tree = tree(&[("web", "edge"), ("edge", "eu"), ("web", "eu")]);
        let around: Vec<_> = tree.around(&name("web")).into_iter().collect();
        assert_eq!(around, [name("edge"), name("eu")]);
        let depths = tree.depths().unwrap();
        assert_eq!(
            (
                depths[&name("web")],
                depths[&name("edge")],
                depths[&name("eu")]
            ),
            (2, 1, 0)
        );
    }

    #[test]
    fn a_ring_is_named_from_start_to_start() {
        let tree = tree(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "b"), ("d", "x")]);
        let ring = tree.depths().unwrap_err();
        assert_eq!(ring, [name("b"), name("c"), name("d"), name("b")]);
    }

    #[test]
    fn a_group_inside_itself_is_a_ring() {
        assert_eq!(
            tree(&[("a", "a")]).depths().unwrap_err(),
            [name("a"), name("a")]
        );
    }
}
