@NullMarked
package dev.layercake.bench;

import org.jspecify.annotations.NullMarked;
