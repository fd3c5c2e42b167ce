//! The recurrence by burn's own operations.

use burn::tensor::{Tensor, activation};

/// The states `[T, N, H]` from the inputs' share of the gates `[T, N, 3H]`, the first state `[N, H]`, and the state's
/// weights `[H, 3H]` and bias `[3H]`.
pub fn recur(gates_of_x: Tensor<3>, h: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<3> {
    let [batch, units] = h.dims();
    let mut h = h;
    let mut states = Vec::new();
    for x in gates_of_x.iter_dim(0) {
        let x: Tensor<2> = x.squeeze_dim(0);
        let s = h.clone().matmul(weight.clone()) + bias.clone().unsqueeze();
        let part = |of: &Tensor<2>, gate: usize| of.clone().slice([0..batch, gate * units..(gate + 1) * units]);
        let z = activation::sigmoid(part(&x, 0) + part(&s, 0));
        let r = activation::sigmoid(part(&x, 1) + part(&s, 1));
        let n = activation::tanh(part(&x, 2) + r * part(&s, 2));
        h = n.clone() + z * (h - n);
        states.push(h.clone());
    }
    Tensor::stack(states, 0)
}
