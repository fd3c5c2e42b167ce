//! Key signatures of ABC: `K:G`, `K:F#m`, `K:D mixolydian`, `K:HP`, `K:none`, with explicit accidentals after them.

/// Half tones added to each letter, `[A, B, C, D, E, F, G]`.
pub type Accidentals = [i8; 7];

/// Letters in the order in which sharps are added to a signature.
const SHARPS: [char; 7] = ['F', 'C', 'G', 'D', 'A', 'E', 'B'];

/// The accidentals of a key as the text after `K:` names it; what it does not understand counts as C major.
pub fn signature(text: &str) -> Accidentals {
    let text = text.trim();
    if text.starts_with("HP") || text.starts_with("Hp") {
        return accidentals(2);
    }
    let mut chars = text.chars().peekable();
    let mut fifths;
    match chars.peek().map(char::to_ascii_uppercase) {
        Some(tonic) if ('A'..='G').contains(&tonic) && !text.starts_with("clef") => {
            chars.next();
            let place = SHARPS.iter().position(|letter| *letter == tonic).unwrap_or(1);
            fifths = place as i32 - 1;
            match chars.peek() {
                Some('#') => {
                    chars.next();
                    fifths += 7;
                }
                Some('b') => {
                    chars.next();
                    fifths -= 7;
                }
                _ => {}
            }
        }
        _ => return explicit([0; 7], text),
    }
    let rest: String = chars.collect();
    let rest = rest.trim_start();
    let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    // Only a mode may have an accidental right behind it: `Dmix=c`, but `F clef=bass`.
    match mode(&word) {
        Some(sharps) => explicit(accidentals(fifths + sharps), &rest[word.len()..]),
        None => explicit(accidentals(fifths), rest),
    }
}

/// Sharps that a mode has beyond the major key on the same tonic, if it is one.
fn mode(word: &str) -> Option<i32> {
    let word = word.to_ascii_lowercase();
    let known = [
        ("maj", 0),
        ("ion", 0),
        ("mix", -1),
        ("dor", -2),
        ("min", -3),
        ("aeo", -3),
        ("phr", -4),
        ("loc", -5),
        ("lyd", 1),
    ];
    match word.as_str() {
        "m" => Some(-3),
        _ => known.iter().find(|(name, _)| word.starts_with(name)).map(|(_, sharps)| *sharps),
    }
}

fn accidentals(fifths: i32) -> Accidentals {
    let mut signature = [0; 7];
    for i in 0..fifths.unsigned_abs().min(7) as usize {
        let letter = if fifths > 0 { SHARPS[i] } else { SHARPS[6 - i] };
        signature[index(letter)] = fifths.signum() as i8;
    }
    signature
}

/// Accidentals written out after the key: `^f _b =c`.
fn explicit(mut signature: Accidentals, text: &str) -> Accidentals {
    let mut alteration = None;
    let mut before = ' ';
    for c in text.chars() {
        let word = std::mem::replace(&mut before, c).is_ascii_alphabetic();
        match (c, alteration) {
            // `clef=bass`: no accidental.
            ('=', _) if word => alteration = None,
            ('^', _) => alteration = Some((alteration.unwrap_or(0) + 1).clamp(1, 2)),
            ('_', _) => alteration = Some((alteration.unwrap_or(0) - 1).clamp(-2, -1)),
            ('=', _) => alteration = Some(0),
            (letter, Some(half_tones)) if ('A'..='G').contains(&letter.to_ascii_uppercase()) => {
                signature[index(letter.to_ascii_uppercase())] = half_tones;
                alteration = None;
            }
            _ => alteration = None,
        }
    }
    signature
}

/// The place of a letter `A..=G` in [`Accidentals`].
pub fn index(letter: char) -> usize {
    (letter as u8 - b'A') as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_music_theory() {
        // A B C D E F G
        assert_eq!(signature("C"), [0; 7]);
        assert_eq!(signature("Gm"), [0, -1, 0, 0, -1, 0, 0]);
        assert_eq!(signature(" D "), [0, 0, 1, 0, 0, 1, 0]);
        assert_eq!(signature("F#m"), [0, 0, 1, 0, 0, 1, 1]);
        assert_eq!(signature("A mixolydian"), [0, 0, 1, 0, 0, 1, 0]);
        assert_eq!(signature("EDor"), signature("D"));
        assert_eq!(signature("Bb"), signature("Gm"));
        assert_eq!(signature("Hp"), signature("D"));
        assert_eq!(signature("none"), [0; 7]);
        assert_eq!(signature("Dmix=c^g"), [0, 0, 0, 0, 0, 1, 1]);
    }
}
