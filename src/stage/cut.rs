//! How a picture is cut into tiles: as few as will do, or as many as keep threads at work that have nothing else to do.

use crate::model::tune::MARGIN;

/// Tiles smaller than the tuned size, for small pictures and for what is left at the edge. Few, because each size that occurs costs a plan.
const LADDER: &[usize] = &[64, 96, 128, 160, 192, 224, 256, 288, 320, 384, 448, 512];

/// One axis cut up: `count` tiles of `size` input pixels, of which the middle `step` are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    pub count: usize,
    pub size: usize,
    pub step: usize,
}

/// What tiles of one network look like, in input pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// The largest side, context included.
    pub largest: usize,
    /// What is seen and not kept, on each of the four sides.
    pub context: usize,
    /// What sides are multiples of.
    pub multiple: usize,
}

impl Shape {
    /// Cuts `length` pixels into as few tiles as will do.
    fn few(&self, length: usize) -> Cut {
        self.parts(length, length.div_ceil(self.largest() - 2 * self.context))
    }

    /// Cuts `length` pixels into `count` tiles, or fewer where that makes them no larger, of the smallest size that does.
    fn parts(&self, length: usize, count: usize) -> Cut {
        let largest = self.largest();
        let needed = length.div_ceil(count) + 2 * self.context;
        let mut sizes = LADDER.iter().map(|n| n.next_multiple_of(self.multiple));
        let size = sizes.find(|&n| n >= needed && n <= largest).unwrap_or(largest);
        let step = size - 2 * self.context;
        Cut { count: length.div_ceil(step), size, step }
    }

    /// A tile that is all context would make no progress: a wide reach forces a larger tile.
    fn largest(&self) -> usize {
        self.largest.max(2 * self.context + MARGIN).next_multiple_of(self.multiple)
    }

    /// Rows and columns for `threads` that share them: as few tiles as will do, unless more that are smaller are done sooner by a tenth, since
    /// each has context of its own. Of that, no more than as much again is worth it.
    pub fn cut(&self, height: usize, width: usize, threads: usize) -> (Cut, Cut) {
        let few = (self.few(height), self.few(width));
        let area = |(rows, columns): (Cut, Cut)| rows.size * columns.size;
        let tiles = |(rows, columns): (Cut, Cut)| rows.count * columns.count;
        let time = |cut: (Cut, Cut)| tiles(cut).div_ceil(threads) * area(cut);
        let more =
            |least: Cut, length: usize| (least.count..=least.count + threads).map(move |n| self.parts(length, n));
        more(few.0, height)
            .flat_map(|rows| more(few.1, width).map(move |columns| (rows, columns)))
            .filter(|&cut| threads > 1 && tiles(cut) * area(cut) <= 2 * tiles(few) * area(few))
            .filter(|&cut| 10 * time(cut) <= 9 * time(few))
            .min_by_key(|&cut| (time(cut), tiles(cut)))
            .unwrap_or(few)
    }
}

impl Cut {
    /// Start and length of the part that tile `index` contributes.
    pub fn part(&self, index: usize, length: usize) -> (usize, usize) {
        let start = index * self.step;
        (start, self.step.min(length - start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(largest: usize, context: usize, multiple: usize) -> Shape {
        Shape { largest, context, multiple }
    }

    #[test]
    fn cuts_cover_every_length_without_gaps() {
        for length in 1..1500 {
            for (largest, context, multiple) in [(256, 24, 8), (128, 62, 8), (96, 5, 1), (512, 0, 16)] {
                let shape = shape(largest, context, multiple);
                for cut in [shape.few(length), shape.cut(length, 200, 7).0, shape.cut(200, length, 64).1] {
                    assert_eq!(cut.size % multiple, 0);
                    let covered: usize = (0..cut.count).map(|i| cut.part(i, length).1).sum();
                    assert_eq!(covered, length, "{length} {cut:?}");
                    assert!((0..cut.count).all(|i| cut.part(i, length).1 > 0));
                }
            }
        }
    }

    #[test]
    fn small_pictures_get_small_tiles() {
        assert_eq!(shape(256, 16, 8).few(30).size, 64);
        assert_eq!(shape(256, 16, 8).few(1000).count, 5);
    }

    /// A frame of 320x240 was one tile, of 384x384, and the work of one core.
    #[test]
    fn a_small_picture_is_the_work_of_all_who_have_nothing_else_to_do() {
        let tiles = |threads| {
            let (rows, columns) = shape(512, 16, 1).cut(240, 320, threads);
            (rows.count * columns.count, rows.size * columns.size)
        };
        assert_eq!(tiles(1), (1, 288 * 384));
        let (count, area) = tiles(2);
        assert_eq!(count, 2);
        assert!(10 * area < 7 * 288 * 384);
        let (count, area) = tiles(16);
        assert!((9..=16).contains(&count), "{count}");
        assert!(count * area <= 2 * 288 * 384);
    }

    #[test]
    fn a_large_picture_keeps_the_tiles_that_are_fastest() {
        let (rows, columns) = shape(256, 16, 8).cut(3000, 4000, 2);
        assert_eq!((rows.size, columns.size), (256, 256));
    }
}
