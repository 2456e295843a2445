"""Read deployment packages and score faces with them, without torch, Ray and pyarrow."""
