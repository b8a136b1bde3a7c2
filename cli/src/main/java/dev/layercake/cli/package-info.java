@NullMarked
package dev.layercake.cli;

import org.jspecify.annotations.NullMarked;
