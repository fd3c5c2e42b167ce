//! The network as an ONNX graph of one frame: the spectrum in and out, every state an input and an output.

use super::network::{Block, Network};
use super::zones::{BANDS, BINS, COMPRESSION, FINE, FLOOR, KEPT, LIMIT, PAST, POSITIONS, ZONES, Zone, triangles};
use crate::onnx::{Axis, Graph, Value};

/// The name of the input that carries the spectrum, `[1, 2, BINS]`.
pub const SPECTRUM: &str = "spectrum";

/// The name of the output that carries the spectrum, `[1, 2, BINS]`.
pub const OUTPUT: &str = "output";

/// The names of a block's state, going in and coming out, `[1, width, POSITIONS]`.
pub fn state_names(block: usize) -> [String; 2] {
    [format!("state_{block}"), format!("next_state_{block}")]
}

/// The names of the frames before, going in and coming out, `[1, 2 PAST, LOW]`: real and imaginary parts of the last one,
/// then of that before it.
pub const PAST_NAMES: [&str; 2] = ["past", "next_past"];

/// Bins that are remembered of the frames before: those that the lowest zone sees.
pub const LOW: usize = ZONES[0].reach();

/// Bins that the filter over time makes: those that the lowest zone answers for.
const FILTERED: usize = ZONES[0].points * ZONES[0].positions;

impl Network {
    /// Writes the graph, inputs and outputs included.
    pub fn write(&self, graph: &mut Graph) {
        let width = self.tail.bias.lazy_shape()[0];
        let spectrum = graph.input(SPECTRUM, &shape(&[1, 2, BINS]));
        let states: Vec<Value> = (0..self.blocks.len())
            .map(|block| graph.input(&state_names(block)[0], &shape(&[1, width, POSITIONS])))
            .collect();
        let past = graph.input(PAST_NAMES[0], &shape(&[1, 2 * PAST, LOW]));
        let present = graph.slice("present", &spectrum, 2, 0, LOW as i64);
        let history = graph.concat("history", &[&present, &past], 1);
        let remembered = graph.slice("remembered", &history, 1, 0, 2 * PAST as i64);
        graph.output_shaped(PAST_NAMES[1], &remembered, &shape(&[1, 2 * PAST, LOW]));

        let fine = graph.slice("fine", &spectrum, 2, 0, FINE as i64);
        let coarse = graph.slice("coarse", &spectrum, 2, FINE as i64, BINS as i64);
        let past = graph.reshape("past.frames", &past, &[PAST as i64, 2, LOW as i64]);
        let ([re, im], past_parts) = (parts(graph, "fine", &fine), parts(graph, "past", &past));
        let (seen, loud) = compress(graph, "fine", &fine, [&re, &im]);
        let magnitude = graph.pow("fine.magnitude", &loud, 0.5 * COMPRESSION);
        let seen = graph.concat("seen", &[&seen, &magnitude], 1);
        let seen = graph.reshape("seen.row", &seen, &[1, 3, 1, FINE as i64]);
        let (past_seen, _) = compress(graph, "past", &past, [&past_parts[0], &past_parts[1]]);
        let past_seen = graph.reshape("past.row", &past_seen, &[1, 2 * PAST as i64, 1, LOW as i64]);
        let low = graph.slice("low.present", &seen, 3, 0, LOW as i64);
        let low = graph.concat("low.row", &[&low, &past_seen], 1);
        let bands = bands(graph, &coarse);
        let sources = [(&low, LOW), (&seen, FINE), (&bands, BANDS)];
        let encoded: [Value; 3] = std::array::from_fn(|index| self.encode(graph, index, sources[index]));
        let encoded = graph.concat("encoded", &encoded.each_ref(), 3);
        let place = graph.weight("place", &self.place);
        let mut x = graph.add("placed", &encoded, &place);
        for (index, block) in self.blocks.iter().enumerate() {
            let next;
            (x, next) = block.write(graph, index, width, &x, &states[index]);
            graph.output_shaped(&state_names(index)[1], &next, &shape(&[1, width, POSITIONS]));
        }
        let x = self.tail.write_row(graph, "tail", &x);
        let x = graph.relu("tail.relu", &x);

        let answers: Vec<Value> =
            ZONES.iter().enumerate().map(|(index, zone)| self.decode(graph, index, zone, &x)).collect();
        let present = graph.slice("factor.present", &answers[0], 1, 0, ZONES[0].answers as i64);
        let factor = graph.concat("factor.root", &[&present, &answers[1]], 2);
        let [x, y] = parts(graph, "factor", &factor);
        let size = power(graph, "factor", &x, &y);
        let [x, y] = [("re", &x), ("im", &y)].map(|(of, v)| graph.mul(&format!("factor.{of}.cubed"), v, &size));
        let [re, im] = product(graph, "cleaned", [&x, &y], [&re, &im]);
        let cleaned = graph.concat("cleaned.parts", &[&re, &im], 1);
        let filtered = filter(graph, &answers[0], past_parts);
        let low = graph.slice("cleaned.low", &cleaned, 2, 0, FILTERED as i64);
        let low = graph.add("cleaned.filtered", &low, &filtered);
        let middle = graph.slice("cleaned.middle", &cleaned, 2, FILTERED as i64, FINE as i64);

        let squared = graph.mul("gain.squared", &answers[2], &answers[2]);
        let cubed = graph.mul("gain.cubed", &squared, &answers[2]);
        let spread = graph.constant("gain.triangles", &[BANDS, BINS - FINE], &triangles());
        let gains = graph.matmul("gains", &cubed, &spread);
        let coarse = graph.mul("cleaned.coarse", &coarse, &gains);
        let cleaned = graph.concat("cleaned", &[&low, &middle, &coarse], 2);
        let share = graph.constant("cleaned.share", &[1], &[1.0 - KEPT]);
        let kept = graph.constant("kept.share", &[1], &[KEPT]);
        let cleaned = graph.mul("cleaned.most", &cleaned, &share);
        let kept = graph.mul("kept", &spectrum, &kept);
        let output = graph.add("mixed", &cleaned, &kept);
        graph.output_shaped(OUTPUT, &output, &shape(&[1, 2, BINS]));
    }

    /// What a zone's positions see of a source of so many points, `[1, width, 1, positions]`.
    fn encode(&self, graph: &mut Graph, index: usize, (source, count): (&Value, usize)) -> Value {
        let (name, zone) = (format!("encoder.{index}"), &ZONES[index]);
        // Points beyond the source are zeros, those inside it belong to a neighbour.
        let before = zone.overlap.saturating_sub(zone.first);
        let after = zone.reach().saturating_sub(count);
        let (from, to) = (zone.first + before - zone.overlap, zone.reach() - after);
        let points = graph.slice(&format!("{name}.points"), source, 3, from as i64, to as i64);
        let kernel = zone.points + 2 * zone.overlap;
        let width = self.tail.bias.lazy_shape()[0] as i64;
        let weight = graph.weight(&format!("{name}.weight"), &self.encoder[index].weight);
        let weight = graph.reshape(&format!("{name}.kernel"), &weight, &[width, zone.rows() as i64, 1, kernel as i64]);
        let bias = graph.weight(&format!("{name}.bias"), &self.encoder[index].bias);
        graph.conv_row(&name, &points, (&weight, &bias), (kernel, zone.points), [before, after])
    }

    /// A zone's answers, point by point, `[1, answers, points]`, within the limit.
    fn decode(&self, graph: &mut Graph, index: usize, zone: &Zone, x: &Value) -> Value {
        let name = format!("decoder.{index}");
        let first: usize = ZONES[..index].iter().map(|zone| zone.positions).sum();
        let part = graph.slice(&format!("{name}.part"), x, 3, first as i64, (first + zone.positions) as i64);
        let answers = self.decoder[index].write_row(graph, &name, &part);
        let each = zone.answers_in_all() as i64;
        let split = [each, zone.points as i64, zone.positions as i64];
        let answers = graph.reshape(&format!("{name}.split"), &answers, &split);
        let answers = graph.transpose(&format!("{name}.turned"), &answers, &[0, 2, 1]);
        let flat = [1, each, (zone.points * zone.positions) as i64];
        let answers = graph.reshape(&format!("{name}.flat"), &answers, &flat);
        graph.clip(&format!("{name}.clip"), &answers, -LIMIT, LIMIT)
    }
}

impl Block {
    fn write(&self, graph: &mut Graph, index: usize, width: usize, x: &Value, state: &Value) -> (Value, Value) {
        let name = format!("blocks.{index}");
        let matrix = [width as i64, POSITIONS as i64];
        let picture = [1, width as i64, 1, POSITIONS as i64];
        let flat = graph.reshape(&format!("{name}.flat"), x, &matrix);
        let state = graph.reshape(&format!("{name}.state"), state, &matrix);
        let next = self.gru.write_step(graph, &format!("{name}.gru"), &flat, &state);
        let states = graph.reshape(&format!("{name}.states"), &next, &picture);
        let next = graph.reshape(&format!("{name}.next"), &next, &[1, width as i64, POSITIONS as i64]);
        let near = self.near.write_row(graph, &format!("{name}.near"), &states);
        let x = graph.add(&format!("{name}.time"), x, &near);
        let spread = self.spread.write_row(graph, &format!("{name}.spread"), &x);
        let spread = graph.relu(&format!("{name}.spread.relu"), &spread);
        let mix = graph.weight(&format!("{name}.mix"), &self.mix);
        let mixed = graph.matmul(&format!("{name}.mixed"), &spread, &mix);
        let gathered = self.gather.write_row(graph, &format!("{name}.gather"), &mixed);
        (graph.add(&format!("{name}.frequency"), &x, &gathered), next)
    }
}

fn shape(sizes: &[usize]) -> Vec<Axis> {
    sizes.iter().map(|&size| Axis::Fixed(size)).collect()
}

/// Real and imaginary part, each `[N, 1, bins]`, of `[N, 2, bins]`.
fn parts(graph: &mut Graph, name: &str, x: &Value) -> [Value; 2] {
    [("re", 0), ("im", 1)].map(|(part, at)| graph.slice(&format!("{name}.{part}"), x, 1, at, at + 1))
}

/// `re^2 + im^2`
fn power(graph: &mut Graph, name: &str, re: &Value, im: &Value) -> Value {
    let [re, im] = [("re", re), ("im", im)].map(|(of, part)| graph.mul(&format!("{name}.{of}.squared"), part, part));
    graph.add(&format!("{name}.power"), &re, &im)
}

/// The complex product, each part of its factors' shape.
fn product(graph: &mut Graph, name: &str, [x, y]: [&Value; 2], [re, im]: [&Value; 2]) -> [Value; 2] {
    let mut product = |of: &str, a: &Value, b: &Value| graph.mul(&format!("{name}.{of}"), a, b);
    let (xx, yy) = (product("re_re", x, re), product("im_im", y, im));
    let (xy, yx) = (product("re_im", x, im), product("im_re", y, re));
    [graph.sub(&format!("{name}.re"), &xx, &yy), graph.add(&format!("{name}.im"), &xy, &yx)]
}

/// What the frames before add to the lowest bins, `[1, 2, FILTERED]`, by the lowest zone's answers `[1, 2 + 2 PAST, FILTERED]`
/// and the frames' real and imaginary parts, each `[PAST, 1, LOW]`.
fn filter(graph: &mut Graph, answers: &Value, past: [Value; 2]) -> Value {
    let first = ZONES[0].answers as i64;
    let factors = graph.slice("filter.answers", answers, 1, first, first + 2 * PAST as i64);
    let factors = graph.reshape("filter.frames", &factors, &[PAST as i64, 2, FILTERED as i64]);
    let [x, y] = parts(graph, "filter", &factors);
    let [re, im] = ["past.filtered.re", "past.filtered.im"];
    let re = graph.slice(re, &past[0], 2, 0, FILTERED as i64);
    let im = graph.slice(im, &past[1], 2, 0, FILTERED as i64);
    let [re, im] = product(graph, "filtered", [&x, &y], [&re, &im]);
    let all = graph.concat("filtered.frames", &[&re, &im], 1);
    let all = graph.reshape("filtered.rows", &all, &[PAST as i64, 2 * FILTERED as i64]);
    let ones = graph.constant("filtered.ones", &[1, PAST], &[1.0; PAST]);
    let sum = graph.matmul("filtered.sum", &ones, &all);
    graph.reshape("filtered", &sum, &[1, 2, FILTERED as i64])
}

/// Compressed real and imaginary parts of `x`, `[N, 2, bins]`, and the power and floor that they come of, `[N, 1, bins]`.
fn compress(graph: &mut Graph, name: &str, x: &Value, [re, im]: [&Value; 2]) -> (Value, Value) {
    let loud = power(graph, name, re, im);
    let floor = graph.constant(&format!("{name}.floor"), &[1], &[FLOOR]);
    let loud = graph.add(&format!("{name}.loud"), &loud, &floor);
    let factor = graph.pow(&format!("{name}.factor"), &loud, 0.5 * (COMPRESSION - 1.0));
    (graph.mul(&format!("{name}.compressed"), x, &factor), loud)
}

/// Compressed magnitudes of the bands, `[1, 1, 1, BANDS]`.
fn bands(graph: &mut Graph, coarse: &Value) -> Value {
    let [re, im] = parts(graph, "coarse", coarse);
    let loud = power(graph, "coarse", &re, &im);
    let count = BINS - FINE;
    let triangles = triangles();
    let sums: Vec<f32> = triangles.chunks(count).map(|band| band.iter().sum()).collect();
    let means: Vec<f32> = (0..count * BANDS)
        .map(|at| {
            let (k, band) = (at / BANDS, at % BANDS);
            triangles[band * count + k] / sums[band]
        })
        .collect();
    let means = graph.constant("bands.means", &[count, BANDS], &means);
    let loud = graph.matmul("bands.power", &loud, &means);
    let floor = graph.constant("bands.floor", &[1], &[FLOOR]);
    let loud = graph.add("bands.loud", &loud, &floor);
    let magnitude = graph.pow("bands.magnitude", &loud, 0.5 * COMPRESSION);
    graph.reshape("bands.row", &magnitude, &[1, 1, 1, BANDS as i64])
}
