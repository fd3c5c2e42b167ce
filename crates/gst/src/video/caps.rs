//! Caps of frames of another size.

use gst::glib;
use gst::prelude::*;

/// Which way caps go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From what comes in to what goes out: larger.
    Up,
    /// From what goes out to what must come in: smaller.
    Down,
}

/// The caps with width and height `scale` times as large or small; all else is kept. A size that cannot be had drops out. Without a scale, which is
/// not known before the model is loaded, any size will do.
pub fn scaled(caps: &gst::CapsRef, scale: Option<i32>, way: Way) -> gst::Caps {
    let mut out = gst::Caps::new_empty();
    let caps_out = out.make_mut();
    for (structure, features) in caps.iter_with_features() {
        let side = |name: &str| match (scale, structure.value(name)) {
            (Some(scale), Ok(value)) => scaled_value(value, scale, way),
            _ => Some(gst::IntRange::new(1, i32::MAX).to_send_value()),
        };
        if let (Some(width), Some(height)) = (side("width"), side("height")) {
            let mut structure = structure.to_owned();
            structure.set_value("width", width);
            structure.set_value("height", height);
            caps_out.append_structure_full(structure, Some(features.to_owned()));
        }
    }
    out
}

/// A number, a range, or a list of these.
fn scaled_value(value: &glib::Value, scale: i32, way: Way) -> Option<glib::SendValue> {
    if let Ok(side) = value.get::<i32>() {
        return match way {
            Way::Up => side.checked_mul(scale),
            Way::Down => Some(side / scale).filter(|_| side % scale == 0),
        }
        .filter(|side| *side > 0)
        .map(|side| side.to_send_value());
    }
    if let Ok(range) = value.get::<gst::IntRange<i32>>() {
        let (least, most) = match way {
            Way::Up => (range.min().saturating_mul(scale), range.max().saturating_mul(scale)),
            Way::Down => ((range.min() - 1).div_euclid(scale) + 1, range.max() / scale),
        };
        let least = least.max(1);
        return match least.cmp(&most) {
            std::cmp::Ordering::Less => Some(gst::IntRange::new(least, most).to_send_value()),
            std::cmp::Ordering::Equal => Some(least.to_send_value()),
            std::cmp::Ordering::Greater => None,
        };
    }
    let list = value.get::<gst::List>().ok()?;
    let sides: Vec<glib::SendValue> = list.iter().filter_map(|side| scaled_value(side, scale, way)).collect();
    (!sides.is_empty()).then(|| gst::List::from_values(sides).to_send_value())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, scale: Option<i32>, way: Way, to: &str) {
        gst::init().unwrap();
        let caps = |text: &str| text.parse::<gst::Caps>().unwrap();
        let got = scaled(&caps(from), scale, way);
        assert!(got.is_strictly_equal(&caps(to)), "{got} is not {to}");
    }

    #[test]
    fn sizes_go_up_and_down_and_all_else_stays() {
        let small = "video/x-raw, format=RGB, width=161, height=99, framerate=25/1, pixel-aspect-ratio=16/15";
        let large = "video/x-raw, format=RGB, width=322, height=198, framerate=25/1, pixel-aspect-ratio=16/15";
        check(small, Some(2), Way::Up, large);
        check(large, Some(2), Way::Down, small);
        // An odd number of pixels is twice nothing.
        check("video/x-raw, width=321, height=198", Some(2), Way::Down, "EMPTY");
    }

    #[test]
    fn ranges_and_lists() {
        let range = "video/x-raw, width=[ 1, 2147483647 ], height=[ 10, 21 ]";
        check(range, Some(4), Way::Up, "video/x-raw, width=[ 4, 2147483647 ], height=[ 40, 84 ]");
        check(range, Some(4), Way::Down, "video/x-raw, width=[ 1, 536870911 ], height=[ 3, 5 ]");
        check(range, Some(20), Way::Down, "video/x-raw, width=[ 1, 107374182 ], height=1");
        let list = "video/x-raw, width={ 100, 101, 200 }, height=60";
        check(list, Some(2), Way::Down, "video/x-raw, width={ 50, 100 }, height=30");
        check(list, None, Way::Up, "video/x-raw, width=[ 1, 2147483647 ], height=[ 1, 2147483647 ]");
        check(
            "video/x-raw, width=3, height=3; video/x-raw, width=4, height=4",
            Some(2),
            Way::Down,
            "video/x-raw, width=2, height=2",
        );
    }
}
