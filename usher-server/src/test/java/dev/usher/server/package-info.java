@NullMarked
package dev.usher.server;

import org.jspecify.annotations.NullMarked;
