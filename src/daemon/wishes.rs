//! What somebody has told of a pipeline while the daemon runs: it outlives the pipeline's changes, and is forgotten when the daemon ends.

use super::feed::Order;

/// All that was told of one pipeline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wishes {
    /// Nothing is handed over; devices of sound stay closed.
    pub paused: bool,
    /// Its sound passes as it is.
    pub bypassed: bool,
    /// The stages' share of its sound, 0..=1.
    pub strength: f32,
}

impl Default for Wishes {
    fn default() -> Self {
        Wishes { paused: false, bypassed: false, strength: 1.0 }
    }
}

impl Wishes {
    /// Takes an order to heart; one to end is none that lasts.
    pub fn heed(&mut self, order: Order) {
        match order {
            Order::Pause => self.paused = true,
            Order::Resume => self.paused = false,
            Order::Bypass => self.bypassed = true,
            Order::Engage => self.bypassed = false,
            Order::Strength(strength) => self.strength = strength,
            Order::Share(_) | Order::Drain | Order::Halt => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_of_each() {
        let mut wishes = Wishes::default();
        for order in
            [Order::Pause, Order::Strength(0.5), Order::Bypass, Order::Resume, Order::Strength(0.25), Order::Halt]
        {
            wishes.heed(order);
        }
        assert_eq!(wishes, Wishes { paused: false, bypassed: true, strength: 0.25 });
    }
}
