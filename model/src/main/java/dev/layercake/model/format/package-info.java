/** Model files: reading Safetensors and GGUF through the foreign-memory API, and writing both. */
@NullMarked
package dev.layercake.model.format;

import org.jspecify.annotations.NullMarked;
