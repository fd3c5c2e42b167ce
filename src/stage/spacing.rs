//! Places on a way, so that each step along it is about as large as the others in what is heard or seen.

/// Places that are tried for each step, equally far apart on the way itself.
const TRIED: usize = 8;

/// Pieces that a jump is divided into.
const PIECES: usize = 16;

/// How often the gaps are halved over which more than half of an even step happens.
const HALVINGS: usize = 8;

/// Where on a way something is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    /// At a share of the way, 0..=1.
    At(f32),
    /// Across a jump that happens however close together these two shares of the way are: `done` of the thing, from its beginning, is what lies after
    /// it, the rest what lies before.
    Across {
        /// The share of the way before the jump.
        before: f32,
        /// The share of the way after it.
        after: f32,
        /// How much of the thing is after it, 0..=1.
        done: f32,
    },
}

impl Place {
    /// For the order along the way.
    fn rank(self) -> (f32, f32) {
        match self {
            Place::At(share) => (share, 0.0),
            Place::Across { before, done, .. } => (before, done),
        }
    }
}

/// `count` things along a way that `make` makes for places of it, both ends among them: those of all that were tried between which the
/// largest `distance` is as small as can be. Where much changes at once, places are tried closer together; where it still changes at once, things
/// that change from their beginning on.
///
/// # Errors
/// As for `make`.
pub fn spaced<T, E>(
    count: usize,
    mut make: impl FnMut(&[Place]) -> Result<Vec<T>, E>,
    distance: impl Fn(&T, &T) -> f64,
) -> Result<Vec<(Place, T)>, E> {
    let last = (count.saturating_sub(1) * TRIED).max(1);
    let places: Vec<Place> = (0..=last).map(|at| Place::At(at as f32 / last as f32)).collect();
    let mut tried: Vec<(Place, T)> = places.iter().copied().zip(make(&places)?).collect();
    let far = distance(&tried[0].1, &tried[last].1) / (2 * count.saturating_sub(1).max(1)) as f64;
    for halving in 0..=HALVINGS {
        let wide = tried.windows(2).filter(|pair| distance(&pair[0].1, &pair[1].1) > far);
        let ends = wide.filter_map(|pair| match (pair[0].0, pair[1].0) {
            (Place::At(before), Place::At(after)) => Some((before, after)),
            _ => None,
        });
        let places: Vec<Place> = if halving < HALVINGS {
            ends.map(|(before, after)| Place::At((before + after) / 2.0)).take(last).collect()
        } else {
            let pieces = |at: usize| at as f32 / PIECES as f32;
            let across = |(before, after)| (1..PIECES).map(move |at| Place::Across { before, after, done: pieces(at) });
            ends.flat_map(across).take(last * PIECES).collect()
        };
        if places.is_empty() {
            break;
        }
        tried.extend(places.iter().copied().zip(make(&places)?));
        tried.sort_by(|(a, _), (b, _)| a.rank().partial_cmp(&b.rank()).unwrap_or(std::cmp::Ordering::Equal));
    }
    let mut chosen = least_jumps(tried.len(), count, |a, b| distance(&tried[a].1, &tried[b].1)).into_iter().peekable();
    let kept = tried.into_iter().enumerate().filter(|(at, _)| chosen.next_if_eq(at).is_some());
    Ok(kept.map(|(_, found)| found).collect())
}

/// `count` of `all` places, rising, the first and the last among them, with the smallest largest step; of those that are alike in this, one
/// with a small sum of squared steps.
fn least_jumps(all: usize, count: usize, distance: impl Fn(usize, usize) -> f64) -> Vec<usize> {
    let steps = count.saturating_sub(1).clamp(1, all - 1);
    let apart: Vec<Vec<f64>> = (0..all).map(|to| (0..to).map(|from| distance(from, to)).collect()).collect();
    // For each place the largest step and the sum of squares of the best way there so far, and for each step where it came from.
    let mut best: Vec<Option<(f64, f64)>> = vec![None; all];
    best[0] = Some((0.0, 0.0));
    let mut origins: Vec<Vec<usize>> = Vec::with_capacity(steps);
    for _ in 0..steps {
        let (mut next, mut from) = (vec![None; all], vec![0; all]);
        for to in 1..all {
            for (at, step) in apart[to].iter().enumerate() {
                let Some((largest, squares)) = best[at] else { continue };
                let cost = (f64::max(largest, *step), squares + step * step);
                if next[to].is_none_or(|known| cost < known) {
                    (next[to], from[to]) = (Some(cost), at);
                }
            }
        }
        best = next;
        origins.push(from);
    }
    let mut way = vec![all - 1];
    for from in origins.iter().rev() {
        way.push(from[way[way.len() - 1]]);
    }
    way.reverse();
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(count: usize, shape: impl Fn(f32) -> f32) -> Vec<f32> {
        let value = |place: &Place| match *place {
            Place::At(share) => shape(share),
            Place::Across { before, after, done } => shape(before) + done * (shape(after) - shape(before)),
        };
        let make = |places: &[Place]| Ok::<_, ()>(places.iter().map(value).collect());
        let way = spaced(count, make, |a: &f32, b: &f32| f64::from((a - b).abs())).expect("a way");
        assert_eq!((way.len(), way[0].0, way[count - 1].0), (count, Place::At(0.0), Place::At(1.0)));
        assert!(way.windows(2).all(|pair| pair[0].0.rank() < pair[1].0.rank()));
        way.windows(2).map(|pair| (pair[1].1 - pair[0].1).abs()).collect()
    }

    #[test]
    fn a_way_that_is_even_stays_so() {
        for count in [2, 3, 9, 40] {
            let even = 1.0 / (count - 1) as f32;
            assert!(steps(count, |t| t).iter().all(|step| (step - even).abs() < 1e-4), "{count}");
        }
    }

    #[test]
    fn what_happens_all_at_once_is_divided_too() {
        // Nearly everything changes within a hundredth of the way.
        let steps = steps(9, |t| 1.0 / (1.0 + (-(t - 0.5) * 1000.0).exp()));
        assert!(steps.iter().all(|step| *step < 0.2), "{steps:?}");
    }

    #[test]
    fn a_jump_is_crossed_piece_by_piece() {
        let steps = steps(5, |t| if t < 0.3 { 0.0 } else { 1.0 });
        assert!(steps.iter().all(|step| (step - 0.25).abs() < 0.07), "{steps:?}");
    }
}
