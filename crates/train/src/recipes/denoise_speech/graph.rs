//! The network as an ONNX graph of one frame: the spectrum in and out, every state an input and an output.

use super::network::{Block, Network};
use super::zones::{BANDS, BINS, COMPRESSION, FINE, FLOOR, LIMIT, POSITIONS, ZONES, Zone, triangles};
use crate::onnx::{Axis, Graph, Value};

/// The name of the input that carries the spectrum, `[1, 2, BINS]`.
pub const SPECTRUM: &str = "spectrum";

/// The name of the output that carries the spectrum, `[1, 2, BINS]`.
pub const OUTPUT: &str = "output";

/// The names of a block's state, going in and coming out, `[1, width, POSITIONS]`.
pub fn state_names(block: usize) -> [String; 2] {
    [format!("state_{block}"), format!("next_state_{block}")]
}

impl Network {
    /// Writes the graph, inputs and outputs included.
    pub fn write(&self, graph: &mut Graph) {
        let width = self.tail.bias.lazy_shape()[0];
        let spectrum = graph.input(SPECTRUM, &shape(&[1, 2, BINS]));
        let states: Vec<Value> = (0..self.blocks.len())
            .map(|block| graph.input(&state_names(block)[0], &shape(&[1, width, POSITIONS])))
            .collect();

        let fine = graph.slice("fine", &spectrum, 2, 0, FINE as i64);
        let coarse = graph.slice("coarse", &spectrum, 2, FINE as i64, BINS as i64);
        let [re, im] = parts(graph, "fine", &fine);
        let seen = compress(graph, &fine, &re, &im);
        let bands = bands(graph, &coarse);
        let encoded: Vec<Value> =
            ZONES.iter().enumerate().map(|(index, zone)| self.encode(graph, index, zone, [&seen, &bands])).collect();
        let encoded = graph.concat("encoded", &encoded.iter().collect::<Vec<_>>(), 3);
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
        let factor = graph.concat("factor.root", &[&answers[0], &answers[1]], 2);
        let [x, y] = parts(graph, "factor", &factor);
        let size = power(graph, "factor", &x, &y);
        let [x, y] = [("re", &x), ("im", &y)].map(|(of, v)| graph.mul(&format!("factor.{of}.cubed"), v, &size));
        let mut product = |name: &str, a: &Value, b: &Value| graph.mul(&format!("product.{name}"), a, b);
        let (xx, yy) = (product("re_re", &x, &re), product("im_im", &y, &im));
        let (xy, yx) = (product("re_im", &x, &im), product("im_re", &y, &re));
        let re = graph.sub("cleaned.re", &xx, &yy);
        let im = graph.add("cleaned.im", &xy, &yx);
        let cleaned = graph.concat("cleaned.fine", &[&re, &im], 1);

        let squared = graph.mul("gain.squared", &answers[2], &answers[2]);
        let cubed = graph.mul("gain.cubed", &squared, &answers[2]);
        let spread = graph.constant("gain.triangles", &[BANDS, BINS - FINE], &triangles());
        let gains = graph.matmul("gains", &cubed, &spread);
        let coarse = graph.mul("cleaned.coarse", &coarse, &gains);
        let output = graph.concat("cleaned", &[&cleaned, &coarse], 2);
        graph.output_shaped(OUTPUT, &output, &shape(&[1, 2, BINS]));
    }

    /// What a zone's positions see, `[1, width, 1, positions]`.
    fn encode(&self, graph: &mut Graph, index: usize, zone: &Zone, sources: [&Value; 2]) -> Value {
        let name = format!("encoder.{index}");
        let (source, count) = if zone.values == 3 { (sources[0], FINE) } else { (sources[1], BANDS) };
        // Points beyond the source are zeros, those inside it belong to a neighbour.
        let reach = zone.points * zone.positions + zone.first;
        let before = zone.overlap.saturating_sub(zone.first);
        let after = (reach + zone.overlap).saturating_sub(count);
        let (from, to) = (zone.first + before - zone.overlap, reach + zone.overlap - after);
        let points = graph.slice(&format!("{name}.points"), source, 3, from as i64, to as i64);
        let kernel = zone.points + 2 * zone.overlap;
        let width = self.tail.bias.lazy_shape()[0] as i64;
        let weight = graph.weight(&format!("{name}.weight"), &self.encoder[index].weight);
        let weight = graph.reshape(&format!("{name}.kernel"), &weight, &[width, zone.values as i64, 1, kernel as i64]);
        let bias = graph.weight(&format!("{name}.bias"), &self.encoder[index].bias);
        graph.conv_row(&name, &points, (&weight, &bias), (kernel, zone.points), [before, after])
    }

    /// A zone's answers, point by point, `[1, answers, points]`, within the limit.
    fn decode(&self, graph: &mut Graph, index: usize, zone: &Zone, x: &Value) -> Value {
        let name = format!("decoder.{index}");
        let first: usize = ZONES[..index].iter().map(|zone| zone.positions).sum();
        let part = graph.slice(&format!("{name}.part"), x, 3, first as i64, (first + zone.positions) as i64);
        let answers = self.decoder[index].write_row(graph, &name, &part);
        let split = [zone.answers as i64, zone.points as i64, zone.positions as i64];
        let answers = graph.reshape(&format!("{name}.split"), &answers, &split);
        let answers = graph.transpose(&format!("{name}.turned"), &answers, &[0, 2, 1]);
        let flat = [1, zone.answers as i64, (zone.points * zone.positions) as i64];
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

/// Real and imaginary part, each `[1, 1, bins]`, of `[1, 2, bins]`.
fn parts(graph: &mut Graph, name: &str, x: &Value) -> [Value; 2] {
    [("re", 0), ("im", 1)].map(|(part, at)| graph.slice(&format!("{name}.{part}"), x, 1, at, at + 1))
}

/// `re^2 + im^2`
fn power(graph: &mut Graph, name: &str, re: &Value, im: &Value) -> Value {
    let [re, im] = [("re", re), ("im", im)].map(|(of, part)| graph.mul(&format!("{name}.{of}.squared"), part, part));
    graph.add(&format!("{name}.power"), &re, &im)
}

/// Compressed real parts, imaginary parts and magnitudes, `[1, 3, 1, FINE]`.
fn compress(graph: &mut Graph, fine: &Value, re: &Value, im: &Value) -> Value {
    let loud = power(graph, "fine", re, im);
    let floor = graph.constant("floor", &[1], &[FLOOR]);
    let loud = graph.add("fine.loud", &loud, &floor);
    let factor = graph.pow("fine.factor", &loud, 0.5 * (COMPRESSION - 1.0));
    let parts = graph.mul("fine.compressed", fine, &factor);
    let magnitude = graph.pow("fine.magnitude", &loud, 0.5 * COMPRESSION);
    let seen = graph.concat("seen", &[&parts, &magnitude], 1);
    graph.reshape("seen.row", &seen, &[1, 3, 1, FINE as i64])
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
