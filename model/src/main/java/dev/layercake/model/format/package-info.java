@NullMarked
package dev.layercake.model.format;

import org.jspecify.annotations.NullMarked;
