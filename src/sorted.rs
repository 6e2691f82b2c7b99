//! Stable sorts whose code is compiled once: that of the standard library's, compiled for each type that is
//! sorted, took a tenth of the time that this crate compiles.

use std::cmp::Ordering;

pub(crate) fn sort<T: Ord>(items: &mut [T]) {
    let swaps = swaps(items.len(), &|one, other| items[one].cmp(&items[other]));
    swaps.iter().for_each(|(one, other)| items.swap(*one, *other));
}

pub(crate) fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    let swaps = swaps(items.len(), &|one, other| key(&items[one]).cmp(&key(&items[other])));
    swaps.iter().for_each(|(one, other)| items.swap(*one, *other));
}

/// What is to be swapped, one after the other, so that so many items are in order.
fn swaps(len: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<(usize, usize)> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by(|one, other| compare(*one, *other));
    let mut swaps = Vec::new();
    for first in 0..len {
        let mut place = first;
        // Each cycle once: what is done refers to itself.
        loop {
            let from = std::mem::replace(&mut order[place], place);
            if from == first || from == place {
                break;
            }
            swaps.push((place, from));
            place = from;
        }
    }
    swaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_are_stable() {
        let mut items = vec![(2, 'a'), (1, 'b'), (2, 'c'), (1, 'd')];
        sort_by_key(&mut items, |(key, _)| *key);
        assert_eq!(items, [(1, 'b'), (1, 'd'), (2, 'a'), (2, 'c')]);
        sort(&mut items);
        assert_eq!(items, [(1, 'b'), (1, 'd'), (2, 'a'), (2, 'c')]);
        let mut items: Vec<u64> = (0..1000).map(|number| number * 7919 % 1000).collect();
        sort(&mut items);
        assert!(items.is_sorted());
    }
}
