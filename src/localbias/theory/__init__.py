"""Section 5 of the paper by calculation: the exact target, what a small neuron grows towards, and how training goes.

Data are strings of signs, x0 in {±1}^d under a law p0, and x_t = √ᾱ x0 + √(1−ᾱ) ε. target, growth, directions and
counterexample take a law by its support [n, d] and weights [n], in float64 NumPy: arrays in, arrays out, vectorised
over leading dimensions.

    target           E[x0 | x_t], the noise target, its Jacobian; the least losses of linear, univariate, all functions
    growth           the growth rate K of a neuron, its best bias, and when neurons stay on an axis
    directions       where gradient flow on the sphere takes neurons: the local maxima of K, and who goes where
    counterexample   a law under which the best neuron is off the axis
    locality         the local dependency ratio of the exact optimum of parity, against noise and length
    flow             gradient flow of the two-layer network
    trace            the flow as measured: its loss, its stairs, its weights on and off the axis; stored flows
"""
