@NullMarked
package dev.usher.spring;

import org.jspecify.annotations.NullMarked;
