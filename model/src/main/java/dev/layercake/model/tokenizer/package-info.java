@NullMarked
package dev.layercake.model.tokenizer;

import org.jspecify.annotations.NullMarked;
