const char *word(int n)
{
    static const char *const words[] = {"nothing", "one word", "two words"};
    return words[n > 2 ? 2 : n];
}
