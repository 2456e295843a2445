"""What scores faces, and the package that it is kept in; neither knows how it was trained."""
