@NullMarked
package dev.layercake.kv;

import org.jspecify.annotations.NullMarked;
