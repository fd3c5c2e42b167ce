//! What a feed hears of its orders while it looks at very many files.

use crossbeam::channel::{Receiver, TryRecvError};

use super::Order;

/// How many files are looked at between one time and the next that it listens: on a share each may take a millisecond or more.
const FILES: u32 = 100;

/// Listens between files, and keeps in mind what it hears.
pub(super) struct Ear {
    orders: Receiver<Order>,
    files: u32,
    heard: Vec<Order>,
}

impl Ear {
    /// Listens to these orders, of which nobody else hears those that it has heard.
    pub fn new(orders: &Receiver<Order>) -> Ear {
        Ear { orders: orders.clone(), files: 0, heard: Vec::new() }
    }

    /// Asked at each file: whether it is to look at no other.
    pub fn is_called_away(&mut self) -> bool {
        if self.files.is_multiple_of(FILES) {
            loop {
                match self.orders.try_recv() {
                    Ok(order) => self.heard.push(order),
                    Err(TryRecvError::Empty) => break,
                    // A supervisor that is gone wants nothing more.
                    Err(TryRecvError::Disconnected) => {
                        self.heard.push(Order::Halt);
                        break;
                    }
                }
            }
        }
        self.files = self.files.wrapping_add(1);
        self.heard.contains(&Order::Halt)
    }

    /// What it has heard, to be heeded now.
    pub fn heard(self) -> Vec<Order> {
        self.heard
    }
}

#[cfg(test)]
mod tests {
    use crossbeam::channel::unbounded;

    use super::*;

    /// Whoever pressed Ctrl-C waited until the last of a million files had been looked at.
    #[test]
    fn a_halt_is_heard_between_files_and_the_others_are_kept() {
        let (orders, ordered) = unbounded();
        let mut ear = Ear::new(&ordered);
        assert!(!ear.is_called_away());
        orders.send(Order::Pause).unwrap();
        orders.send(Order::Drain).unwrap();
        assert!((0..2 * FILES).all(|_| !ear.is_called_away()));
        orders.send(Order::Halt).unwrap();
        let looked_at = (0..10 * FILES).take_while(|_| !ear.is_called_away()).count();
        assert!(looked_at <= FILES as usize, "{looked_at}");
        assert!(ear.is_called_away());
        assert_eq!(ear.heard(), [Order::Pause, Order::Drain, Order::Halt]);
        assert!(ordered.is_empty());

        let mut ear = Ear::new(&ordered);
        drop(orders);
        assert!(ear.is_called_away());
    }
}
