/**
 * Transformers as data: what a checkpoint says of itself ({@link dev.layercake.model.ModelConfig}), its weights ({@link
 * dev.layercake.model.Model}) and the forward pass ({@link dev.layercake.model.Forward}), layer-major for a prompt and
 * token by token after it.
 */
@NullMarked
package dev.layercake.model;

import org.jspecify.annotations.NullMarked;
