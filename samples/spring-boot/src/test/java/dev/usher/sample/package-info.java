@NullMarked
package dev.usher.sample;

import org.jspecify.annotations.NullMarked;
