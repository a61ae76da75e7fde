"""Section 5 of the paper by calculation: what can be learned, what neurons grow towards, training.

Data are strings of signs, x0 in {±1}^d under a law p0, and x_t = √ᾱ x0 + √(1−ᾱ) ε. Arrays go in and
come out, in float64, vectorised over leading dimensions. Here lives what follows from the
mathematics alone; verdicts on the paper's claims are `book.claims`.

- `target`: E[x0 | x_t] and the noise target; the least losses of linear, of univariate and of all
  functions.
- `growth`: the growth rate K of a neuron, its best bias, and when neurons stay on an axis.
- `directions`: where gradient flow on the sphere takes neurons, and the local maxima of K.
- `slices`: the same as arrays for pictures.
- `laws`: laws that the theorems are tried on.
- `counterexample`: a law under which the best neuron is off the axis.
- `locality`: the local dependency ratio of the optimum of parity, against noise and length.
- `attention`: a layer of attention on the same strings: its gradient, its flow, its locality.
- `flow`: gradient flow of the two-layer network.
- `trace`: a flow as measured; `stored`: those that are kept.
- `numerics`: sums and integrals that know their error.
"""
