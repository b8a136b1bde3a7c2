@NullMarked
package dev.layercake.model.text;

import org.jspecify.annotations.NullMarked;
