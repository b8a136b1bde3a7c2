/**
 * The arithmetic: dtypes, off-heap tensors, matrix products, attention and what attention tells about a layer. {@link
 * dev.layercake.kernels.Kernels} is the contract, its scalar implementation the specification, its SIMD implementation
 * what runs. Nothing here knows of models or caches.
 */
@NullMarked
package dev.layercake.kernels;

import org.jspecify.annotations.NullMarked;
