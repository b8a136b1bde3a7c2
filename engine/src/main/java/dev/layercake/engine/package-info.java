@NullMarked
package dev.layercake.engine;

import org.jspecify.annotations.NullMarked;
